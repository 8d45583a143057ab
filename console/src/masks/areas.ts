/** Parts of a picture as polygons, in parts of its width and height. No I/O. The post checks them again (model/areas.py). */

export type Point = [number, number]

export interface PictureArea {
  name: string
  polygon: Point[]
}

/** A part of the picture with rules of its own, as the settings have it (config/watching.py). dwell: seconds, 0 for never. */
export interface ZoneRules {
  kinds: string[]
  dwell: number
  ignored: boolean
}

export type Direction = 'both' | 'left_to_right' | 'right_to_left'

export interface PictureZone extends PictureArea, ZoneRules {}

/** polygon: its two ends. */
export interface PictureLine extends PictureArea {
  direction: Direction
}

export const KINDS_OF_ZONE = ['motion', 'object', 'object.person', 'object.vehicle', 'object.animal', 'thermal'] as const
export const MOST_DWELL_S = 3_600
const LEAST_LINE = 0.02
export const MOST_POINTS = 32
export const MOST_AREAS = 16
const LEAST_AREA = 0.0001

/** What is wrong with a polygon, as a key of the catalogue; null where nothing is. */
export function wrongWith(polygon: readonly Point[]): 'few' | 'crosses' | 'tiny' | null {
  if (polygon.length < 3) return 'few'
  if (crosses(polygon)) return 'crosses'
  return areaOf(polygon) < LEAST_AREA ? 'tiny' : null
}

export function areaOf(polygon: readonly Point[]): number {
  let sum = 0
  for (const [n, [x, y]] of polygon.entries()) {
    const [nextX, nextY] = polygon[(n + 1) % polygon.length]!
    sum += x * nextY - nextX * y
  }
  return Math.abs(sum) / 2
}

/** Whether a point lies in a polygon. */
export function inside([x, y]: Point, polygon: readonly Point[]): boolean {
  let within = false
  for (const [n, [x0, y0]] of polygon.entries()) {
    const [x1, y1] = polygon[(n + 1) % polygon.length]!
    if (y0 > y !== y1 > y && x < x0 + ((x1 - x0) * (y - y0)) / (y1 - y0)) within = !within
  }
  return within
}

/** Four decimals are kept, as the settings do; a point stays in the picture. */
export function placed(x: number, y: number): Point {
  return [round(x), round(y)]
}

function round(value: number): number {
  return Math.round(Math.min(1, Math.max(0, value)) * 10_000) / 10_000
}

/** A square around a point, kept in the picture: what a new area begins as for those who draw by keys. */
export function squareAt(x: number, y: number, half = 0.1): Point[] {
  const left = Math.min(1 - 2 * half, Math.max(0, x - half))
  const top = Math.min(1 - 2 * half, Math.max(0, y - half))
  return [placed(left, top), placed(left + 2 * half, top), placed(left + 2 * half, top + 2 * half), placed(left, top + 2 * half)]
}

/** With a point more, in the middle of the edge behind `after`. */
export function withPoint(polygon: readonly Point[], after: number): Point[] {
  const [ax, ay] = polygon[after]!
  const [bx, by] = polygon[(after + 1) % polygon.length]!
  return [...polygon.slice(0, after + 1), placed((ax + bx) / 2, (ay + by) / 2), ...polygon.slice(after + 1)]
}

/** The edge that a click lies nearest to: the index of the point it begins at. */
export function nearestEdge(polygon: readonly Point[], x: number, y: number): number {
  let best = 0
  let least = Infinity
  for (const [n, [ax, ay]] of polygon.entries()) {
    const [bx, by] = polygon[(n + 1) % polygon.length]!
    const length = (bx - ax) ** 2 + (by - ay) ** 2
    const part = length ? Math.min(1, Math.max(0, ((x - ax) * (bx - ax) + (y - ay) * (by - ay)) / length)) : 0
    const away = (x - ax - part * (bx - ax)) ** 2 + (y - ay - part * (by - ay)) ** 2
    if (away < least) {
      least = away
      best = n
    }
  }
  return best
}

function crosses(polygon: readonly Point[]): boolean {
  const count = polygon.length
  for (let i = 0; i < count; i += 1) {
    for (let j = i + 2; j < count; j += 1) {
      if (i === 0 && j === count - 1) continue
      if (meet(polygon[i]!, polygon[i + 1]!, polygon[j]!, polygon[(j + 1) % count]!)) return true
    }
  }
  return false
}

function meet(a: Point, b: Point, c: Point, d: Point): boolean {
  return turn(a, b, c) !== turn(a, b, d) && turn(c, d, a) !== turn(c, d, b)
}

function turn(a: Point, b: Point, c: Point): number {
  return Math.sign((b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0]))
}

/** Of a line: too short to be crossed by anything. */
export function wrongWithLine(ends: readonly Point[]): 'tiny' | null {
  const [[ax, ay], [bx, by]] = ends as [Point, Point]
  return Math.hypot(bx - ax, by - ay) < LEAST_LINE ? 'tiny' : null
}

/** The middle of a line, and where an arrow ends that crosses it from its left to its right; in a picture so many times as wide as it is high. */
export function acrossLine(ends: readonly Point[], wide: number, length = 0.06): { from: Point; to: Point } {
  const [[ax, ay], [bx, by]] = ends as [Point, Point]
  const [dx, dy] = [(bx - ax) * wide, by - ay]
  const long = Math.hypot(dx, dy) || 1
  // Seen from the first end to the second, with y pointing down: right is a quarter turn clockwise.
  const [rx, ry] = [(-dy / long) * length, (dx / long) * length]
  const [mx, my] = [(ax + bx) / 2, (ay + by) / 2]
  return { from: [mx - rx / wide, my - ry], to: [mx + rx / wide, my + ry] }
}

const SECONDS: Record<string, number> = { '': 1, s: 1, m: 60, h: 3_600, d: 86_400 }

/** `30s` as the settings write it, or a number of seconds; what is neither is none. */
export function dwellOf(value: unknown): number {
  const found = /^(\d+)\s*([smhd]?)$/.exec(String(value ?? 0).trim())
  return found ? Math.min(MOST_DWELL_S, Number(found[1]) * (SECONDS[found[2] ?? ''] ?? 1)) : 0
}

function pointOf(value: unknown): Point | null {
  return Array.isArray(value) && value.length === 2 && value.every((v) => typeof v === 'number') ? (value as Point) : null
}

/** What the settings hold of a camera's zones. */
export function zonesOf(value: unknown): PictureZone[] {
  const items = Array.isArray(value) ? (value as Record<string, unknown>[]) : []
  return items.flatMap((item) =>
    areasOf([item]).map((area) => ({
      ...area, kinds: Array.isArray(item.kinds) ? item.kinds.map(String) : [], dwell: dwellOf(item.dwell), ignored: item.ignored === true,
    })),
  )
}

/** What the settings hold of a camera's lines. */
export function linesOf(value: unknown): PictureLine[] {
  const items = Array.isArray(value) ? (value as Record<string, unknown>[]) : []
  return items.flatMap((item) => {
    const [from, to] = [pointOf(item?.from), pointOf(item?.to)]
    const direction = (['left_to_right', 'right_to_left'] as const).find((each) => each === item?.direction) ?? 'both'
    return typeof item?.name === 'string' && from && to ? [{ name: item.name, polygon: [from, to], direction }] : []
  })
}

/** What the settings hold of a camera's masks or shades; what is no such list is none. */
export function areasOf(value: unknown): PictureArea[] {
  if (!Array.isArray(value)) return []
  const areas: PictureArea[] = []
  for (const item of value as Record<string, unknown>[]) {
    const polygon = Array.isArray(item?.polygon) ? (item.polygon as unknown[]) : []
    const points = polygon.filter((p): p is Point => Array.isArray(p) && p.length === 2 && p.every((v) => typeof v === 'number'))
    if (typeof item?.name === 'string' && points.length === polygon.length) areas.push({ name: item.name, polygon: points })
  }
  return areas
}
