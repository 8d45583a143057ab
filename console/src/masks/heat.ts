/** What moved where in a picture, to help draw zones and masks: how much, in what colour, and where most. Pure; the post tells it (web/models_detection.py). */

import type { Movement } from '../api/detection'
import { inside, placed, type Point } from './areas'

/** Seconds of movement in an hour: what is less is next to nothing; and how much the brightest colour stands for at least. */
const LITTLE = 2
const LEAST_MOST = 20
/** Parts beside the busiest one that are the same place: with so much of what it has. */
const SAME = 0.4
const ALWAYS = 0.9
const LEAST_SIDE = 0.16
const ALWAYS_HOURS = 12

export interface Heat {
  columns: number
  rows: number
  /** Seconds of movement in an hour of looking, part by part from the top left. */
  rates: number[]
  most: number
}

export interface Place {
  polygon: Point[]
  x: number
  y: number
  /** Seconds of movement in an hour, where it has most. */
  rate: number
  /** Clock hours in which something moved. */
  hours: number
  /** In nearly every hour, by day and by night: more likely a tree or a road than what is looked for. */
  always: boolean
}

/** What the page shows: the map, and its busiest places by number. */
export interface Shown {
  heat: Heat
  places: readonly Place[]
}

export function heatOf(moved: Movement): Heat {
  const rates = moved.looked_s > 0 ? moved.seconds.map((seconds) => Math.min(3600, (seconds * 3600) / moved.looked_s)) : moved.seconds.map(() => 0)
  return { columns: moved.columns, rows: moved.rows, rates, most: Math.max(0, ...rates) }
}

const scale = (heat: Heat): number => Math.log1p(Math.max(LEAST_MOST, heat.most) / LITTLE)

/** 0 to 1: little and much are both to be seen, so it goes by the logarithm. */
export function level(heat: Heat, rate: number): number {
  return Math.log1p(rate / LITTLE) / scale(heat)
}

/** The reverse, for the legend. */
export function rateAt(heat: Heat, of: number): number {
  return LITTLE * Math.expm1(of * scale(heat))
}

/** From dark red, nearly clear, to pale yellow, nearly opaque: brighter is more, for those who see no colours. */
const RAMP: [number, number, number, number][] = [
  [120, 0, 10, 0], [176, 16, 20, 0.42], [226, 84, 16, 0.68], [252, 168, 30, 0.84], [255, 244, 176, 0.94],
]

export function colour(of: number): [number, number, number, number] {
  const at = Math.min(1, Math.max(0, of)) * (RAMP.length - 1)
  const below = RAMP[Math.min(RAMP.length - 2, Math.floor(at))]!
  const above = RAMP[Math.min(RAMP.length - 1, Math.floor(at) + 1)]!
  const part = at - Math.min(RAMP.length - 2, Math.floor(at))
  return below.map((from, n) => from + (above[n]! - from) * part) as [number, number, number, number]
}

/** One pixel for each part; the page makes it as large as the picture, smoothly. */
export function paint(canvas: HTMLCanvasElement, heat: Heat): void {
  canvas.width = heat.columns
  canvas.height = heat.rows
  const context = canvas.getContext('2d')
  if (!context || !heat.columns) return
  const image = context.createImageData(heat.columns, heat.rows)
  for (const [n, rate] of heat.rates.entries()) {
    const [r, g, b, a] = colour(level(heat, rate))
    image.data.set([r, g, b, a * 255], 4 * n)
  }
  context.putImageData(image, 0, 0)
}

/** Where most moves, the busiest first: parts beside each other that have nearly as much are one place. */
export function places(heat: Heat, moved: Movement, most = 5): Place[] {
  const left = new Set(heat.rates.keys())
  const found: Place[] = []
  while (found.length < most) {
    let peak = -1
    for (const n of left) if (peak < 0 || heat.rates[n]! > heat.rates[peak]!) peak = n
    const rate = heat.rates[peak] ?? 0
    if (peak < 0 || rate < LITTLE || rate < heat.most / 20) break
    found.push(placeAt(heat, moved, left, peak))
  }
  return found
}

/** Takes its parts out of what is left, and those about it: what is only its edge is no other place. */
function placeAt(heat: Heat, moved: Movement, left: Set<number>, peak: number): Place {
  const least = heat.rates[peak]! * SAME
  const region = [peak]
  left.delete(peak)
  for (const n of region) {
    for (const next of beside(heat, n)) {
      if (left.has(next) && heat.rates[next]! >= least) {
        left.delete(next)
        region.push(next)
      }
    }
  }
  for (const n of region) for (const next of beside(heat, n)) left.delete(next)
  const columns = region.map((n) => n % heat.columns)
  const rows = region.map((n) => Math.floor(n / heat.columns))
  const [x0, x1] = sides(Math.min(...columns) / heat.columns, (Math.max(...columns) + 1) / heat.columns)
  const [y0, y1] = sides(Math.min(...rows) / heat.rows, (Math.max(...rows) + 1) / heat.rows)
  const hours = Math.max(...region.map((n) => moved.hours[n] ?? 0))
  // Its number stands where its movement lies, not in the middle of the box about it: of an L that may be beside it.
  const all = region.reduce((sum, n) => sum + heat.rates[n]!, 0)
  const middle = (of: (n: number) => number): number => region.reduce((sum, n) => sum + of(n) * heat.rates[n]!, 0) / all
  return {
    polygon: [placed(x0, y0), placed(x1, y0), placed(x1, y1), placed(x0, y1)],
    x: middle((n) => ((n % heat.columns) + 0.5) / heat.columns), y: middle((n) => (Math.floor(n / heat.columns) + 0.5) / heat.rows), rate: heat.rates[peak]!, hours,
    always: moved.looked_hours >= ALWAYS_HOURS && hours >= ALWAYS * moved.looked_hours,
  }
}

/** Wide enough for a finger between its points, also on a phone. */
function sides(from: number, to: number): [number, number] {
  const wide = Math.max(LEAST_SIDE, to - from)
  const begin = Math.min(1 - wide, Math.max(0, (from + to - wide) / 2))
  return [begin, begin + wide]
}

function beside({ columns, rows }: Heat, n: number): number[] {
  const [x, y] = [n % columns, Math.floor(n / columns)]
  const found: number[] = []
  for (const [dx, dy] of [[-1, 0], [1, 0], [0, -1], [0, 1], [-1, -1], [1, 1], [-1, 1], [1, -1]] as const) {
    if (x + dx >= 0 && x + dx < columns && y + dy >= 0 && y + dy < rows) found.push(n + dx + dy * columns)
  }
  return found
}

/** As a key of the catalogue: nine parts of a picture have a name. */
export function whereabouts(x: number, y: number): string {
  const third = (of: number, names: [string, string, string]): string => names[Math.min(2, Math.floor(of * 3))]!
  return `masks.at.${third(y, ['top', 'middle', 'bottom'])}_${third(x, ['left', 'centre', 'right'])}`
}

/** How much moves within an area, where it has most; 0 where nothing does. */
export function within(heat: Heat, polygon: readonly Point[]): number {
  let most = 0
  for (const [n, rate] of heat.rates.entries()) {
    const middle: Point = [((n % heat.columns) + 0.5) / heat.columns, (Math.floor(n / heat.columns) + 0.5) / heat.rows]
    if (rate > most && inside(middle, polygon)) most = rate
  }
  return most
}
