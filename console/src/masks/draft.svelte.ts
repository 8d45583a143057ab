/** Masks, shades, zones and lines of one camera while somebody draws them, beside those that are saved. */

import { t } from '../i18n'
import {
  MOST_AREAS, MOST_POINTS, placed, squareAt, withPoint, wrongWith, wrongWithLine, type Direction, type PictureArea, type PictureLine, type PictureZone, type Point,
} from './areas'

export type KindOfArea = 'masks' | 'shades' | 'zones' | 'lines'

export interface DrawnArea {
  id: number
  kind: KindOfArea
  name: string
  /** Of a line its two ends. */
  polygon: Point[]
  /** Of a zone. */
  kinds: string[]
  dwell: number
  ignored: boolean
  /** Of a line. */
  direction: Direction
}

/** As the settings write them. */
interface ZoneWire extends PictureArea {
  kinds?: string[]
  dwell?: string
  ignored?: true
}
interface LineWire {
  name: string
  from: Point
  to: Point
  direction?: Direction
}

const NAMES: Record<KindOfArea, string> = { masks: 'masks.maskName', shades: 'masks.shadeName', zones: 'masks.zoneName', lines: 'masks.lineName' }

/** Whether names of the two must differ: an event names a zone or a line. */
function together(a: KindOfArea, b: KindOfArea): boolean {
  return a === b || ((a === 'zones' || a === 'lines') && (b === 'zones' || b === 'lines'))
}

export class Draft {
  areas = $state<DrawnArea[]>([])
  chosen = $state<number | null>(null)
  /** Index of the point of the chosen area that keys act on. */
  point = $state(0)
  private saved = $state('')
  private next = 1

  load(masks: readonly PictureArea[], shades: readonly PictureArea[], zones: readonly PictureZone[] = [], lines: readonly PictureLine[] = []): void {
    this.areas = [
      ...masks.map((area) => this.made('masks', area)), ...shades.map((area) => this.made('shades', area)),
      ...zones.map((zone) => this.made('zones', zone)), ...lines.map((line) => this.made('lines', line)),
    ]
    this.chosen = null
    this.saved = this.text
  }

  get area(): DrawnArea | null {
    return this.areas.find((area) => area.id === this.chosen) ?? null
  }

  get changed(): boolean {
    return this.text !== this.saved
  }

  /** Which masks are new, moved and gone, by name. */
  get maskChanges(): { fresh: string[]; moved: string[]; gone: string[] } {
    const was = new Map(this.savedMasks.map((area) => [area.name, JSON.stringify(area.polygon)]))
    const now = this.of('masks')
    return {
      fresh: now.filter((area) => !was.has(area.name)).map((area) => area.name),
      moved: now.filter((area) => was.has(area.name) && was.get(area.name) !== JSON.stringify(area.polygon)).map((area) => area.name),
      gone: [...was.keys()].filter((name) => !now.some((area) => area.name === name)),
    }
  }

  private get savedMasks(): PictureArea[] {
    return this.saved ? (JSON.parse(this.saved) as { masks: PictureArea[] }).masks : []
  }

  get masksChanged(): boolean {
    return JSON.stringify(this.of('masks')) !== JSON.stringify(this.savedMasks)
  }

  /** Whether what is looked for is drawn anew: zones and lines. */
  get watchChanged(): boolean {
    const saved = this.saved ? (JSON.parse(this.saved) as { zones: ZoneWire[]; lines: LineWire[] }) : { zones: [], lines: [] }
    return JSON.stringify([this.zones, this.lines]) !== JSON.stringify([saved.zones, saved.lines])
  }

  get hidingChanged(): boolean {
    const saved = this.saved ? (JSON.parse(this.saved) as { masks: PictureArea[]; shades: PictureArea[] }) : { masks: [], shades: [] }
    return JSON.stringify([this.of('masks'), this.of('shades')]) !== JSON.stringify([saved.masks, saved.shades])
  }

  get zones(): ZoneWire[] {
    return this.areas
      .filter((area) => area.kind === 'zones')
      .map(({ name, polygon, kinds, dwell, ignored }) => ({
        name: name.trim(), polygon, ...(kinds.length && !ignored ? { kinds } : {}), ...(dwell && !ignored ? { dwell: `${dwell}s` } : {}), ...(ignored ? { ignored } : {}),
      }))
  }

  get lines(): LineWire[] {
    return this.areas
      .filter((area) => area.kind === 'lines')
      .map(({ name, polygon, direction }) => ({ name: name.trim(), from: polygon[0] as Point, to: polygon[1] as Point, ...(direction === 'both' ? {} : { direction }) }))
  }

  of(kind: KindOfArea): PictureArea[] {
    return this.areas.filter((area) => area.kind === kind).map(({ name, polygon }) => ({ name: name.trim(), polygon }))
  }

  /** As a key of the catalogue; null where it may be saved. */
  wrong(area: DrawnArea): string | null {
    if (!area.name.trim()) return 'unnamed'
    if (this.areas.some((other) => other !== area && together(other.kind, area.kind) && other.name.trim() === area.name.trim())) return 'twice'
    return area.kind === 'lines' ? wrongWithLine(area.polygon) : wrongWith(area.polygon)
  }

  get ok(): boolean {
    return this.areas.every((area) => this.wrong(area) === null)
  }

  full(kind: KindOfArea): boolean {
    return this.of(kind).length >= MOST_AREAS
  }

  /** at: where it is to lie; without it, somewhere in the middle. */
  add(kind: KindOfArea, at?: readonly Point[]): void {
    let n = this.of(kind).length + 1
    const name = (): string => t(NAMES[kind], { n })
    while (this.areas.some((area) => together(area.kind, kind) && area.name === name())) n += 1
    const aside = ((this.areas.length % 5) - 2) * 0.06
    const polygon = at ?? (kind === 'lines' ? [placed(0.3 + aside, 0.5 + aside), placed(0.7 + aside, 0.5 + aside)] : squareAt(0.5 + aside, 0.5 + aside))
    const area = this.made(kind, { name: name(), polygon: [...polygon] })
    this.areas.push(area)
    this.choose(area.id)
  }

  choose(id: number, point = 0): void {
    this.chosen = id
    this.point = point
  }

  remove(id: number): void {
    this.areas = this.areas.filter((area) => area.id !== id)
    if (this.chosen === id) this.chosen = null
  }

  turn(id: number): void {
    const area = this.areas.find((each) => each.id === id)
    if (area?.kind === 'lines') area.polygon.reverse()
    else if (area && area.kind !== 'zones') area.kind = area.kind === 'masks' ? 'shades' : 'masks'
  }

  moveTo(area: DrawnArea, n: number, x: number, y: number): void {
    area.polygon[n] = placed(x, y)
  }

  /** All of it, as far as it stays in the picture. */
  moveBy(area: DrawnArea, x: number, y: number): void {
    const xs = area.polygon.map((point) => point[0])
    const ys = area.polygon.map((point) => point[1])
    const dx = Math.min(1 - Math.max(...xs), Math.max(-Math.min(...xs), x))
    const dy = Math.min(1 - Math.max(...ys), Math.max(-Math.min(...ys), y))
    area.polygon = area.polygon.map(([px, py]) => placed(px + dx, py + dy))
  }

  addPoint(area: DrawnArea, after: number): void {
    if (area.kind === 'lines' || area.polygon.length >= MOST_POINTS) return
    area.polygon = withPoint(area.polygon, after)
    this.point = after + 1
  }

  removePoint(area: DrawnArea, n: number): void {
    if (area.polygon.length <= 3) return
    area.polygon = area.polygon.filter((_, index) => index !== n)
    this.point = Math.min(n, area.polygon.length - 1)
  }

  private made(kind: KindOfArea, area: PictureArea & Partial<PictureZone & PictureLine>): DrawnArea {
    return {
      id: this.next++, kind, name: area.name, polygon: area.polygon.map(([x, y]): Point => [x, y]), kinds: [...(area.kinds ?? [])],
      dwell: area.dwell ?? 0, ignored: area.ignored ?? false, direction: area.direction ?? 'both',
    }
  }

  private get text(): string {
    return JSON.stringify({ masks: this.of('masks'), shades: this.of('shades'), zones: this.zones, lines: this.lines })
  }
}
