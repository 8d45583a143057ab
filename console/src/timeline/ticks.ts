/** Where the axis has its marks: at round local times of the post's zone, across changes of its clock. No I/O. */

import { offsetMs } from '../time'

const SECOND = 1_000
const MINUTE = 60 * SECOND
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR
/** Steps of a month and more stand at the first of months. */
export const MONTH = 30 * DAY
const STEPS = [
  100, 200, 500, SECOND, 5 * SECOND, 10 * SECOND, 30 * SECOND, MINUTE, 2 * MINUTE, 5 * MINUTE, 10 * MINUTE, 15 * MINUTE, 30 * MINUTE,
  HOUR, 2 * HOUR, 3 * HOUR, 6 * HOUR, 12 * HOUR, DAY, 2 * DAY, 7 * DAY, 14 * DAY, MONTH, 3 * MONTH,
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
  return STEPS.find((step) => step >= wanted) ?? 3 * MONTH
}

export function ticks(fromMs: number, toMs: number, stepMs: number, zone: string): Ticks {
  if (stepMs >= MONTH) return { stepMs, major: months(fromMs, toMs, stepMs / MONTH, zone) }
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

function months(fromMs: number, toMs: number, every: number, zone: string): Tick[] {
  const begin = new Date(fromMs + offsetMs(fromMs, zone))
  const major: Tick[] = []
  for (let n = 0; n < 400; n++) {
    const local = Date.UTC(begin.getUTCFullYear(), Math.floor(begin.getUTCMonth() / every) * every + n * every, 1)
    const ms = local - offsetMs(local - offsetMs(local, zone), zone)
    if (ms > toMs) break
    if (ms >= fromMs) major.push({ ms, midnight: true })
  }
  return major
}
