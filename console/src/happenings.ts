/**
 * Gaps as a person would tell them: what struck several cameras at once is one happening, and so is a series of short
 * gaps of one cause on one camera. No I/O.
 */

import type { GapWire } from './api/types'

export interface Happening {
  cause: string
  fromMs: number
  /** null while it goes on. */
  toMs: number | null
  cameras: string[]
  /** The gaps of one camera in it, and how long they are together. */
  times: number
  lostMs: number
  evidence: Record<string, unknown> | null
}

/** Gaps of one cause that begin and end this close together are one. */
const TOGETHER_MS = 3_000
/** A gap that begins this soon after another of its cause ended belongs to the same series. */
const SERIES_MS = 60_000

/** The newest first. nowMs: where a gap that goes on ends for now. */
export function happenings(gaps: readonly GapWire[], nowMs: number): Happening[] {
  return series(together(gaps, nowMs))
}

function together(gaps: readonly GapWire[], nowMs: number): Happening[] {
  const found: Happening[] = []
  for (const gap of [...gaps].sort((a, b) => Date.parse(b.from) - Date.parse(a.from))) {
    const fromMs = Date.parse(gap.from)
    const toMs = gap.open ? null : Date.parse(gap.to)
    // Sorted by their beginning: only the last few can be near.
    let same: Happening | undefined
    for (let i = found.length - 1; i >= 0 && near((found[i] as Happening).fromMs, fromMs); i--) {
      const other = found[i] as Happening
      if (other.cause === gap.cause && near(other.toMs, toMs) && !other.cameras.includes(gap.camera)) same = other
    }
    if (same) {
      same.cameras.push(gap.camera)
      same.fromMs = Math.min(same.fromMs, fromMs)
      if (toMs !== null) same.toMs = Math.max(same.toMs ?? toMs, toMs)
      same.lostMs = Math.max(same.lostMs, (toMs ?? nowMs) - fromMs)
    } else {
      const evidence = gap.evidence ?? null
      const lostMs = (toMs ?? nowMs) - fromMs
      found.push({ cause: gap.cause, fromMs, toMs, cameras: [gap.camera], times: 1, lostMs, evidence })
    }
  }
  return found
}

function series(found: readonly Happening[]): Happening[] {
  const told: Happening[] = []
  const last = new Map<string, Happening>()
  for (const earlier of found) {
    const key = `${earlier.cause} ${earlier.cameras.toSorted().join()}`
    const later = last.get(key)
    if (later && earlier.toMs !== null && later.fromMs - earlier.toMs < SERIES_MS) {
      later.fromMs = earlier.fromMs
      later.times += earlier.times
      later.lostMs += earlier.lostMs
    } else {
      const first = { ...earlier }
      last.set(key, first)
      told.push(first)
    }
  }
  return told
}

function near(a: number | null, b: number | null): boolean {
  return a === null || b === null ? a === b : Math.abs(a - b) < TOGETHER_MS
}
