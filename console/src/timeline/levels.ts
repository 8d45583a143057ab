/**
 * The wide timeline in tiles of many levels: a tile is STEPS steps of one length, on a grid that lies on UTC, so that panning
 * asks for nothing twice and what is not there yet can be shown from a coarser tile. No I/O.
 */

/** The post's own ladder (`GET /api/v1/timelines`), in milliseconds. */
export const LADDER = [
  1, 10, 100, 1_000, 5_000, 15_000, 60_000, 300_000, 900_000, 1_800_000, 3_600_000, 10_800_000, 21_600_000, 43_200_000, 86_400_000,
] as const
export const STEPS = 1_024

/** One camera's lane of one tile: spans that tile it. at: steps from its beginning; share: percent that is absent, 0 for plain. */
export interface Strip {
  at: Uint16Array
  code: Uint8Array
  share: Uint8Array
}

/** Index into the ladder: the coarsest step that is not wider than a pixel. */
export function levelFor(msPerPixel: number): number {
  let level = 0
  for (let n = 0; n < LADDER.length; n++) if ((LADDER[n] as number) <= msPerPixel) level = n
  return level
}

export function tileMs(level: number): number {
  return (LADDER[level] as number) * STEPS
}

/** Numbers of the tiles that cover an interval. */
export function tilesOver(level: number, fromMs: number, toMs: number): [number, number] {
  const length = tileMs(level)
  return [Math.floor(fromMs / length), Math.max(Math.floor(fromMs / length), Math.ceil(toMs / length) - 1)]
}

/** Spans of an answer as a strip. Steps beyond what is told are pending (code 0). */
export function stripOf(spans: readonly (readonly number[])[], codes: Uint8Array): Strip {
  const at = new Uint16Array(spans.length)
  const code = new Uint8Array(spans.length)
  const share = new Uint8Array(spans.length)
  spans.forEach((span, n) => {
    at[n] = span[0] as number
    code[n] = codes[span[1] as number] ?? 0
    share[n] = span[2] ?? 0
  })
  return { at, code, share }
}

/** Index of the span that holds a step. */
export function spanAt(strip: Strip, step: number): number {
  let low = 0
  let high = strip.at.length
  while (low < high) {
    const middle = (low + high) >> 1
    if ((strip.at[middle] as number) > step) high = middle
    else low = middle + 1
  }
  return low - 1
}

export interface Found {
  strip: Strip
  level: number
  tile: number
  fromMs: number
  toMs: number
}

/** What is at hand of tiles, least recently used forgotten. Owner of the state: this object. */
export class TileCache {
  private readonly tiles = new Map<string, Map<string, Strip>>()

  constructor(private readonly most = 320) {}

  get(level: number, tile: number, camera: string): Strip | undefined {
    return this.tiles.get(`${level}/${tile}`)?.get(camera)
  }

  put(level: number, tile: number, camera: string, strip: Strip): void {
    const key = `${level}/${tile}`
    const lanes = this.tiles.get(key) ?? new Map<string, Strip>()
    lanes.set(camera, strip)
    // Last in the map is the newest.
    this.tiles.delete(key)
    this.tiles.set(key, lanes)
    if (this.tiles.size > this.most) this.tiles.delete(this.tiles.keys().next().value as string)
  }

  clear(): void {
    this.tiles.clear()
  }

  /**
   * The best there is over an interval: its own level where it is there, else a coarser one, else finer ones are not worth
   * the search. In order, without overlaps; where nothing is known there is a hole.
   */
  over(camera: string, level: number, fromMs: number, toMs: number): Found[] {
    const found: Found[] = []
    const length = tileMs(level)
    const [first, last] = tilesOver(level, fromMs, toMs)
    for (let tile = first; tile <= last; tile++) {
      const a = Math.max(fromMs, tile * length)
      const b = Math.min(toMs, (tile + 1) * length)
      const own = this.get(level, tile, camera)
      if (own) found.push({ strip: own, level, tile, fromMs: a, toMs: b })
      else this.coarser(found, camera, level, a, b)
    }
    return found
  }

  private coarser(found: Found[], camera: string, level: number, fromMs: number, toMs: number): void {
    for (let up = level + 1; up < LADDER.length; up++) {
      const tile = Math.floor(fromMs / tileMs(up))
      const strip = this.get(up, tile, camera)
      if (!strip) continue
      const end = Math.min(toMs, (tile + 1) * tileMs(up))
      found.push({ strip, level: up, tile, fromMs, toMs: end })
      if (end < toMs) this.coarser(found, camera, level, end, toMs)
      return
    }
  }
}
