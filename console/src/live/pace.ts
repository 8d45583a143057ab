/** Decisions of a live picture, without a clock of their own: how fast to play, which stream to take, how large a still. */

import type { StreamInfo } from '../api/types'

/** Where a picture stands. Seconds of media time. */
export interface Position {
  /** Played position. */
  at: number
  /** What can be played: from, to (the newest sample that has arrived). */
  start: number
  end: number
  /** How far behind `end` it should be. */
  target: number
}

export interface Pace {
  rate: number
  /** Go there at once; null: play on. */
  jump: number | null
}

/** Further behind than this is not caught up with by playing a little faster. */
export const JUMP_S = 1.4

/** How to stay at the live edge: a nudge that nobody hears while near, a jump when far. */
export function paceOf({ at, start, end, target }: Position): Pace {
  const behind = end - at
  if (behind > JUMP_S || behind < -0.2 || at < start) return { rate: 1, jump: Math.max(start, end - target) }
  const over = behind - target
  if (over > 0.35) return { rate: 1.15, jump: null }
  if (over > 0.15) return { rate: 1.06, jump: null }
  if (over < -0.2) return { rate: 0.96, jump: null }
  return { rate: 1, jump: null }
}

/** Milliseconds until the next try: longer each time, never two pages at the same moment. chance: 0 to 1. */
export function backOffMs(attempt: number, chance: number): number {
  return Math.min(8_000, 400 * 2 ** Math.min(attempt, 8)) * (0.6 + chance * 0.8)
}

const SMALL_WIDTH = 640
const HYSTERESIS = 0.12

/**
 * The stream for a tile of so many device pixels: the small one while it fills the tile well enough. before: what it takes
 * now; it changes only when the tile has become clearly larger or smaller.
 */
export function streamFor(streams: readonly StreamInfo[], pixels: number, before: string | undefined): string | undefined {
  const main = streams.find((stream) => stream.name === 'main') ?? streams[0]
  const sub = streams.find((stream) => stream.name === 'sub')
  if (!sub || !main) return main?.name
  const enough = Math.max(sub.width ?? SMALL_WIDTH, SMALL_WIDTH) * 1.15
  const bound = before === 'sub' ? enough * (1 + HYSTERESIS) : before === main.name ? enough * (1 - HYSTERESIS) : enough
  return pixels <= bound ? 'sub' : main.name
}

const STILL_WIDTHS = [160, 240, 320, 480, 640, 960, 1280, 1920] as const
const SECONDS_A_STILL = 1.2

/** Width of a still for a tile of so many device pixels that this link brings in about a second. bytesAPixel: as measured. */
export function stillWidth(pixels: number, bytesASecond: number, bytesAPixel: number): number {
  const affordable = Math.sqrt((bytesASecond * SECONDS_A_STILL * 16) / (bytesAPixel * 9))
  const most = Math.max(STILL_WIDTHS[0], Math.min(pixels * 1.1, affordable))
  return STILL_WIDTHS.findLast((width) => width <= most) ?? STILL_WIDTHS[0]
}

/** A running mean that follows in a few steps. */
export function mean(before: number | null, value: number, weight = 0.35): number {
  return before === null ? value : before + (value - before) * weight
}
