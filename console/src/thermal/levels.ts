/** Thermal stills: what the post sends of one, and how its levels become colours and degrees. Pure. */

import type { Point } from '../masks/areas'
import { STEPS, type Palette } from './tables'

/** What was measured in a part of it, in degrees Celsius, or in levels where it has no scale. points: none for the whole, one for a spot. */
export interface HeatRead {
  name: string
  highest: number
  lowest: number
  mean: number
  hottest: Point
  points: Point[]
}

/** Degrees Celsius are level x gain + offset; gain null: levels are values without a scale. levels: row by row. */
export interface HeatStill {
  atMs: number
  width: number
  height: number
  gain: number | null
  offset: number
  reads: HeatRead[]
  levels: Uint16Array
}

/** Throws where the answer is none. */
export function readStill(buffer: ArrayBuffer): HeatStill {
  const size = new DataView(buffer).getUint32(0, true)
  const head = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 4, size))) as Omit<HeatStill, 'atMs' | 'levels'> & { at: string }
  const count = head.width * head.height
  const bytes = new DataView(buffer, 4 + size)
  if (!(count > 0) || bytes.byteLength !== 2 * count) throw new Error('a still that is cut short')
  const levels = new Uint16Array(count)
  for (let n = 0; n < count; n++) levels[n] = bytes.getUint16(2 * n, true)
  return { ...head, atMs: Date.parse(head.at), levels }
}

/** Degrees, or the level itself. */
export function valueOf(still: HeatStill, level: number): number {
  return still.gain === null ? level : level * still.gain + still.offset
}

/** Which level has that value. */
export function levelOf(still: HeatStill, value: number): number {
  return still.gain === null ? value : (value - still.offset) / still.gain
}

/** Coldest and hottest of it, as values. */
export function extent(still: HeatStill): [number, number] {
  let low = 65_535
  let high = 0
  for (const level of still.levels) {
    if (level < low) low = level
    if (level > high) high = level
  }
  const ends = [valueOf(still, low), valueOf(still, high)]
  return [Math.min(...ends), Math.max(...ends)]
}

/** 256 colours from cold to hot, red, green and blue of each. */
export function colours(palette: Palette): Uint8Array {
  const steps = palette === 'sent' ? ([[0, 0, 0], [1, 1, 1]] as const) : STEPS[palette]
  const table = new Uint8Array(256 * 3)
  for (let n = 0; n < 256; n++) {
    const at = (n / 255) * (steps.length - 1)
    const from = Math.min(Math.floor(at), steps.length - 2)
    for (let channel = 0; channel < 3; channel++) {
      const a = steps[from]![channel]!
      const b = steps[from + 1]![channel]!
      table[3 * n + channel] = Math.round(255 * (a + (b - a) * (at - from)))
    }
  }
  return table
}

/** The picture, red, green, blue and opaque of each pixel. low, high: the values at the ends of the palette. */
export function painted(still: HeatStill, low: number, high: number, palette: Palette): Uint8ClampedArray<ArrayBuffer> {
  const table = colours(palette)
  const picture = new Uint8ClampedArray(still.levels.length * 4)
  const span = Math.max(high - low, 1e-9)
  for (let n = 0; n < still.levels.length; n++) {
    const part = (valueOf(still, still.levels[n]!) - low) / span
    const at = 3 * Math.round(255 * Math.min(1, Math.max(0, part)))
    picture[4 * n] = table[at]!
    picture[4 * n + 1] = table[at + 1]!
    picture[4 * n + 2] = table[at + 2]!
    picture[4 * n + 3] = 255
  }
  return picture
}

/** What was measured at a point, in parts of width and height. */
export function valueAt(still: HeatStill, [x, y]: Point): number {
  const column = Math.min(still.width - 1, Math.max(0, Math.floor(x * still.width)))
  const row = Math.min(still.height - 1, Math.max(0, Math.floor(y * still.height)))
  return valueOf(still, still.levels[row * still.width + column]!)
}
