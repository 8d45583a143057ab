/** The pictures of one camera that are at hand, by wall time: which is shown at a moment, and which comes before and after. No I/O. */

export interface Stretch {
  key: string
  fromMs: number
  toMs: number
  /** When each picture is shown, in order. */
  ms: Float64Array
  /** 1 where it stands alone. */
  sync: Uint8Array
  /** The browser took all of it. */
  taken?: boolean
}

/** Two stretches that lie no further apart are one: where a run's clock is learnt better, the next picture may stand a little later. */
const SEAM_MS = 250

/** Whether a moment lies in one of the stretches, or in the seam between two. */
export function covered(stretches: readonly { fromMs: number; toMs: number }[], ms: number): boolean {
  let before = false
  let after = false
  for (const s of stretches) {
    if (s.fromMs <= ms && ms < s.toMs) return true
    if (s.toMs <= ms && ms - s.toMs < SEAM_MS) before = true
    if (s.fromMs > ms && s.fromMs - ms < SEAM_MS) after = true
  }
  return before && after
}

export class Frames {
  private stretches: Stretch[] = []

  get all(): readonly Stretch[] {
    return this.stretches
  }

  /** A stretch of the same key takes the place of what was known of it; so does what lies within it. */
  put(stretch: Stretch): void {
    this.stretches = this.stretches.filter((s) => s.key !== stretch.key && !(s.fromMs >= stretch.fromMs - 0.5 && s.toMs <= stretch.toMs + 0.5))
    this.stretches.push(stretch)
    this.stretches.sort((a, b) => a.fromMs - b.fromMs)
  }

  /** Forgets what ends before, and begins after; says what it forgot. */
  keep(fromMs: number, toMs: number): Stretch[] {
    const gone = this.stretches.filter((s) => s.toMs < fromMs || s.fromMs > toMs)
    if (gone.length) this.stretches = this.stretches.filter((s) => !gone.includes(s))
    return gone
  }

  clear(): void {
    this.stretches = []
  }

  /** Notes of a stretch that the browser took all of it; has: whether it has the picture of a moment. */
  take(key: string, has: (ms: number) => boolean): void {
    for (const s of this.stretches) if (s.key === key) s.taken = whole(s, has)
  }

  /** Forgets what the browser took once and has no more: it throws away what it needs the room of, and tells nobody. How many stretches that were. */
  lost(has: (ms: number) => boolean): number {
    const before = this.stretches.length
    this.stretches = this.stretches.filter((s) => !s.taken || whole(s, has))
    return before - this.stretches.length
  }

  has(ms: number): boolean {
    return covered(this.stretches, ms)
  }

  /** Until when everything is at hand from the moment on; the moment itself where it is not. */
  until(ms: number): number {
    let end = ms
    for (const s of this.stretches) if (s.fromMs <= end + SEAM_MS && s.toMs > end) end = s.toMs
    return end
  }

  /** The picture shown at the moment: the last one not after it. */
  at(ms: number): number | null {
    return this.last(ms, false)
  }

  /** The key frame to show for a moment. */
  keyAt(ms: number): number | null {
    return this.last(ms, true)
  }

  next(ms: number): number | null {
    for (const s of this.stretches) {
      if (s.toMs <= ms) continue
      for (let i = s.ms.length ? above(s.ms, ms) : 0; i < s.ms.length; i++) return s.ms[i] as number
    }
    return null
  }

  before(ms: number): number | null {
    return this.last(ms - 1e-3, false)
  }

  private last(ms: number, sync: boolean): number | null {
    let best: number | null = null
    for (const s of this.stretches) {
      if (s.fromMs > ms) break
      for (let i = above(s.ms, ms) - 1; i >= 0; i--) {
        if (sync && !s.sync[i]) continue
        const found = s.ms[i] as number
        if (best === null || found > best) best = found
        break
      }
    }
    return best
  }
}

/** A browser throws away whole groups of pictures: each is there where its key frame is. */
function whole(s: Stretch, has: (ms: number) => boolean): boolean {
  return s.ms.every((ms, n) => !s.sync[n] || has(ms))
}

/** Index of the first value that is more than x. */
function above(values: Float64Array, x: number): number {
  let low = 0
  let high = values.length
  while (low < high) {
    const middle = (low + high) >> 1
    if ((values[middle] as number) > x) high = middle
    else low = middle + 1
  }
  return low
}

/** A moment of today is told apart from another to a quarter of a microsecond; what is nearer than this is one. */
const ONE_MS = 0.01

/**
 * The moment one frame on (or back) over all cameras: the nearest at which any of them shows another picture, however little apart
 * theirs are. Between two pictures the one that is shown is not a step: back from there is the picture before it. null: none is at hand.
 */
export function stepped(cameras: readonly Frames[], ms: number, by: 1 | -1): number | null {
  if (by > 0) return least(cameras.map((frames) => frames.next(ms + ONE_MS)))
  const shown = most(cameras.map((frames) => frames.at(ms + ONE_MS))) ?? ms
  // Never from what lies after the moment: the way back would lead to the moment itself.
  return most(cameras.map((frames) => frames.before(Math.min(shown, ms))))
}

function most(values: readonly (number | null)[]): number | null {
  return values.reduce((best, each) => (best === null || (each !== null && each > best) ? each : best), null)
}

function least(values: readonly (number | null)[]): number | null {
  return values.reduce((best, each) => (best === null || (each !== null && each < best) ? each : best), null)
}
