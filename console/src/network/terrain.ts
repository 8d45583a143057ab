/** The plain ground of the map: lines of latitude and longitude, made here, so that nothing is asked of anybody. No I/O. */

export interface Line {
  type: 'Feature'
  properties: { degrees: number; kind: 'meridian' | 'parallel'; label: string }
  geometry: { type: 'LineString'; coordinates: [number, number][] }
}

export interface Bounds {
  west: number
  south: number
  east: number
  north: number
}

const STEPS = [30, 10, 5, 2, 1, 0.5, 0.25, 0.1, 0.05, 0.02, 0.01, 0.005, 0.002, 0.001] as const
const MOST_LINES = 14
const POLE = 85

/** The step of the lines: at most so many fit across the view. */
export function stepOf(bounds: Bounds): number {
  const widest = Math.max(bounds.east - bounds.west, (bounds.north - bounds.south) * 1.5)
  return [...STEPS].reverse().find((step) => widest / step <= MOST_LINES) ?? STEPS[0]
}

function label(degrees: number, kind: Line['properties']['kind'], step: number): string {
  const digits = Math.max(0, Math.ceil(-Math.log10(step) - 1e-9))
  const letter = degrees === 0 ? '' : kind === 'meridian' ? (degrees > 0 ? 'E' : 'W') : degrees > 0 ? 'N' : 'S'
  return `${Math.abs(degrees).toFixed(digits)}°${letter ? ` ${letter}` : ''}`
}

/** Lines over the view and a little beyond it. */
export function graticule(bounds: Bounds): Line[] {
  const step = stepOf(bounds)
  const lines: Line[] = []
  const south = Math.max(-POLE, bounds.south - step)
  const north = Math.min(POLE, bounds.north + step)
  const line = (n: number, kind: 'meridian' | 'parallel', coordinates: [number, number][]): void => {
    const degrees = Math.round(n * step * 1e6) / 1e6
    lines.push({ type: 'Feature', properties: { degrees, kind, label: label(degrees, kind, step) }, geometry: { type: 'LineString', coordinates } })
  }
  for (let n = Math.floor(Math.max(-180, bounds.west - step) / step); n * step <= Math.min(180, bounds.east + step); n++) {
    line(n, 'meridian', [[n * step, south], [n * step, north]])
  }
  for (let n = Math.ceil(south / step); n * step <= north; n++) {
    line(n, 'parallel', [[Math.max(-180, bounds.west - step), n * step], [Math.min(180, bounds.east + step), n * step]])
  }
  return lines
}

/** What holds all the places, with room around them; null for none. */
export function around(places: readonly { lat: number; lon: number }[]): Bounds | null {
  if (!places.length) return null
  const lats = places.map((place) => place.lat)
  const lons = places.map((place) => place.lon)
  const [south, north, west, east] = [Math.min(...lats), Math.max(...lats), Math.min(...lons), Math.max(...lons)]
  const room = Math.max(0.02, (north - south) * 0.15, (east - west) * 0.15)
  return { west: Math.max(-180, west - room), south: Math.max(-POLE, south - room), east: Math.min(180, east + room), north: Math.min(POLE, north + room) }
}
