/** Where the axis has its marks: at round local times of the post's zone, across changes of its clock. No I/O. */

import { offsetMs } from '../time'

const SECOND = 1_000
const MINUTE = 60 * SECOND
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR
const STEPS = [
  SECOND, 5 * SECOND, 10 * SECOND, 30 * SECOND, MINUTE, 2 * MINUTE, 5 * MINUTE, 10 * MINUTE, 15 * MINUTE, 30 * MINUTE,
  HOUR, 2 * HOUR, 3 * HOUR, 6 * HOUR, 12 * HOUR, DAY, 2 * DAY, 7 * DAY,
]

export interface Tick {
  ms: number
  /** A local midnight: it carries the date. */
  midnight: boolean
}

export interface Ticks {
  stepMs: number
  major: Tick[]
}

/** The smallest step whose marks stand at least `minPixels` apart. */
export function stepFor(spanMs: number, widthPixels: number, minPixels: number): number {
  const wanted = (spanMs / Math.max(1, widthPixels)) * minPixels
  return STEPS.find((step) => step >= wanted) ?? 7 * DAY
}

export function ticks(fromMs: number, toMs: number, stepMs: number, zone: string): Ticks {
  const major: Tick[] = []
  // Step in local time, so that marks stay at 06:00 on the day the clocks change.
  const firstLocal = Math.ceil((fromMs + offsetMs(fromMs, zone)) / stepMs) * stepMs
  for (let local = firstLocal, n = 0; n < 400; local += stepMs, n++) {
    const guess = local - offsetMs(fromMs, zone)
    const ms = local - offsetMs(guess, zone)
    if (ms > toMs) break
    if (ms >= fromMs) major.push({ ms, midnight: local % DAY === 0 })
  }
  return { stepMs, major }
}
