/**
 * The one clock of a review: which wall time is shown now. It runs at a rate (negative: backwards), stands while paused, and
 * is held while a camera that should have a picture still has none. Times come in; none are read. No I/O.
 */

export class ReviewClock {
  private wallMs: number
  private sinceMs = 0
  private running = false
  private held = false
  private speed = 1

  constructor(wallMs: number) {
    this.wallMs = wallMs
  }

  /** The wall time at `nowMs` of the page's own clock (performance.now). */
  at(nowMs: number): number {
    return this.moves ? this.wallMs + (nowMs - this.sinceMs) * this.speed : this.wallMs
  }

  get rate(): number {
    return this.speed
  }

  /** Somebody pressed play, whether it is held or not. */
  get playing(): boolean {
    return this.running
  }

  get moves(): boolean {
    return this.running && !this.held
  }

  get waits(): boolean {
    return this.running && this.held
  }

  private mark(nowMs: number): void {
    this.wallMs = this.at(nowMs)
    this.sinceMs = nowMs
  }

  seek(wallMs: number, nowMs: number): void {
    this.wallMs = wallMs
    this.sinceMs = nowMs
  }

  play(nowMs: number): void {
    this.mark(nowMs)
    this.running = true
  }

  pause(nowMs: number): void {
    this.mark(nowMs)
    this.running = false
  }

  hold(held: boolean, nowMs: number): void {
    if (held === this.held) return
    this.mark(nowMs)
    this.held = held
  }

  setRate(rate: number, nowMs: number): void {
    this.mark(nowMs)
    this.speed = rate
  }
}

/** What speeds there are. Backwards only by key frames, so from 1 on. */
export const RATES = [1 / 8, 1 / 4, 1 / 2, 1, 2, 4, 8, 16, 32, 64] as const

/** The next faster or slower one, its direction kept. */
export function faster(rate: number, by: 1 | -1): number {
  const size = Math.abs(rate)
  let at = 0
  RATES.forEach((each, n) => {
    if (Math.abs(each - size) < Math.abs((RATES[at] as number) - size)) at = n
  })
  const next = RATES[Math.max(0, Math.min(RATES.length - 1, at + by))] as number
  return rate < 0 ? -Math.max(1, next) : next
}

/** How a camera follows the clock at a rate: by playing, by showing key frames only, or by the strip's stills. */
export type Pace = 'play' | 'keys' | 'stills'

export const PLAY_LIMIT = 8
const KEYS_LIMIT = 16

/** limit: the fastest this computer has been seen to decode at. */
export function paceOf(rate: number, limit = PLAY_LIMIT): Pace {
  if (Math.abs(rate) > KEYS_LIMIT) return 'stills'
  return rate < 0 || rate > limit ? 'keys' : 'play'
}

/** More than this off at a rate of 1, and a seek is quicker than running after it. */
export const SEEK_MS = 350
/** Slow motion runs after little slowly. */
const LEAST_SEEK_MS = 60
/** Half of a frame at 50 a second: nothing to mend. */
const STILL_MS = 5
const GAIN = 2.2
const MOST = 0.4

/** The rate that takes a player back to the clock: offMs is how far it is ahead. null: seek instead. */
export function slaved(rate: number, offMs: number): number | null {
  if (Math.abs(offMs) > Math.max(LEAST_SEEK_MS, SEEK_MS * rate)) return null
  if (Math.abs(offMs) < STILL_MS) return rate
  const share = Math.max(-MOST, Math.min(MOST, (offMs / 1_000 / rate) * GAIN))
  // Chromium takes 1/16 to 16.
  return Math.max(0.0625, Math.min(16, rate * (1 - share)))
}
