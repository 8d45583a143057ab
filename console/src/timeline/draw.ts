/**
 * Draws lanes of time on a canvas. Recorded is one calm bar; a gap is hatched, with the icon of its cause where there is
 * room; what is not known yet is empty; what is held elsewhere is a chequerboard. A gap never vanishes by being short.
 */

import { causeWords, type Tone } from '../causes'
import { ICONS, type IconName } from '../parts/icons'
import * as time from '../time'
import { indexAt, type Item } from './spans'
import { stepFor, ticks, type Ticks } from './ticks'
import type { View } from './view'

export interface Palette {
  recorded: string
  recordedSoft: string
  fault: string
  faultGround: string
  planned: string
  plannedGround: string
  lane: string
  line: string
  text: string
  muted: string
  ground: string
  playhead: string
  now: string
}

export interface Lane {
  id: string
  items: readonly Item[]
  /** How far this lane's past has been fetched; what lies outside is drawn as being loaded. */
  knownFromMs: number
  knownToMs: number
  selected: boolean
}

export interface Scene {
  width: number
  height: number
  ratio: number
  view: View
  lanes: readonly Lane[]
  laneHeight: number
  axisHeight: number
  /** How far the lanes are scrolled under the axis. */
  scrollTop: number
  zone: string
  nowMs: number
  playheadMs: number | null
  hover: { x: number; y: number } | null
}

const MIN_GAP_PX = 2
const MIN_ICON_PX = 22
const paths = new Map<IconName, Path2D>()

function path(name: IconName): Path2D {
  let known = paths.get(name)
  if (!known) {
    known = new Path2D(ICONS[name])
    paths.set(name, known)
  }
  return known
}

export class TimelinePainter {
  private readonly hatches = new Map<string, CanvasPattern>()

  constructor(
    private readonly context: CanvasRenderingContext2D,
    private palette: Palette,
  ) {}

  repaint(palette: Palette): void {
    this.palette = palette
    this.hatches.clear()
  }

  draw(scene: Scene): void {
    const c = this.context
    c.setTransform(scene.ratio, 0, 0, scene.ratio, 0, 0)
    c.clearRect(0, 0, scene.width, scene.height)
    const marks = this.grid(scene)
    scene.lanes.forEach((lane, row) => this.lane(scene, lane, row))
    this.axis(scene, marks)
    this.marks(scene)
  }

  private x(scene: Scene, ms: number): number {
    return ((ms - scene.view.fromMs) / (scene.view.toMs - scene.view.fromMs)) * scene.width
  }

  private grid(scene: Scene): Ticks {
    const { view, zone, width } = scene
    const marks = ticks(view.fromMs, view.toMs, stepFor(view.toMs - view.fromMs, width, 74), zone)
    const c = this.context
    c.lineWidth = 1
    c.strokeStyle = this.palette.line
    for (const tick of marks.major) {
      c.globalAlpha = tick.midnight ? 1 : 0.55
      this.line(Math.round(this.x(scene, tick.ms)) + 0.5, scene.axisHeight - 5, scene.height)
    }
    c.globalAlpha = 1
    return marks
  }

  private axis(scene: Scene, { stepMs: step, major }: Ticks): void {
    const c = this.context
    const { zone, width, axisHeight } = scene
    c.fillStyle = this.palette.ground
    c.fillRect(0, 0, width, axisHeight - 5)
    c.font = '11px system-ui, sans-serif'
    c.textBaseline = 'middle'
    let lastRight = -Infinity
    for (const tick of major) {
      const x = Math.round(this.x(scene, tick.ms)) + 0.5
      const label = tick.midnight ? time.day(tick.ms, zone) : time.clock(tick.ms, zone, step < 60_000)
      const half = c.measureText(label).width / 2
      if (x - half < Math.max(2, lastRight + 8) || x + half > width - 2) continue
      lastRight = x + half
      c.fillStyle = tick.midnight ? this.palette.text : this.palette.muted
      c.textAlign = 'center'
      c.fillText(label, x, axisHeight / 2 - 1)
    }
  }

  private lane(scene: Scene, lane: Lane, row: number): void {
    const c = this.context
    const top = scene.axisHeight + row * scene.laneHeight - scene.scrollTop + 3
    const height = scene.laneHeight - 6
    if (top > scene.height || top + height < scene.axisHeight) return
    const nowX = this.x(scene, scene.nowMs)
    c.fillStyle = this.palette.lane
    c.fillRect(0, top, Math.max(0, Math.min(nowX, scene.width)), height)
    const first = indexAt(lane.items, scene.view.fromMs)
    let recordedFrom: number | null = null
    let recordedTo = 0
    const flush = (): void => {
      if (recordedFrom === null) return
      c.fillStyle = lane.selected ? this.palette.recorded : this.palette.recordedSoft
      c.fillRect(recordedFrom, top, Math.max(0.5, recordedTo - recordedFrom), height)
      recordedFrom = null
    }
    const gaps: { item: Item; from: number; to: number }[] = []
    for (let i = first; i < lane.items.length; i++) {
      const item = lane.items[i] as Item
      if (item.fromMs >= scene.view.toMs) break
      const from = Math.max(-1, this.x(scene, item.fromMs))
      const to = Math.min(scene.width + 1, this.x(scene, Math.min(item.toMs, scene.nowMs)))
      if (item.state === 'gap') gaps.push({ item, from, to })
      else if (item.state === 'recorded' && item.held !== 'here') {
        flush()
        this.chequer(from, top, to - from, height)
      } else if (item.state === 'recorded') {
        if (recordedFrom !== null && from - recordedTo > 0.5) flush()
        recordedFrom ??= from
        recordedTo = to
      }
    }
    flush()
    for (const gap of gaps) this.gap(gap.item, gap.from, gap.to, top, height)
    this.unknownEdges(scene, lane, top, height)
  }

  private gap(item: Item, from: number, to: number, top: number, height: number): void {
    if (to <= from && to < 0) return
    const c = this.context
    const words = causeWords(item.cause)
    const width = Math.max(to - from, MIN_GAP_PX)
    const left = to - from < MIN_GAP_PX ? (from + to) / 2 - MIN_GAP_PX / 2 : from
    const ink = words.tone === 'fault' ? this.palette.fault : this.palette.planned
    if (words.tone === 'before') {
      // Nothing was promised yet: hardly a mark.
      c.fillStyle = this.palette.ground
      c.fillRect(left, top, width, height)
      c.fillStyle = this.hatch('before')
      c.fillRect(left, top, width, height)
      return
    }
    if (to - from >= 0.5) {
      c.fillStyle = words.tone === 'fault' ? this.palette.faultGround : this.palette.plannedGround
      c.fillRect(left, top, width, height)
    }
    if (width < 4) {
      c.fillStyle = ink
      // Shorter than a pixel of time: a short tick, so that a second does not weigh like an hour, and never nothing.
      const tall = to - from < 0.5 ? height * 0.5 : height
      c.fillRect(left, top + height - tall, width, tall)
      return
    }
    c.fillStyle = this.hatch(words.tone)
    c.fillRect(left, top, width, height)
    c.fillStyle = ink
    c.fillRect(left, top, 1, height)
    c.fillRect(left + width - 1, top, 1, height)
    if (width >= MIN_ICON_PX && height >= 14) this.icon(words.icon, left + width / 2, top + height / 2, ink)
  }

  /** On a plain patch, so that the hatching does not run through it. */
  private icon(name: IconName, x: number, y: number, ink: string): void {
    const c = this.context
    const scale = 0.78
    c.save()
    c.fillStyle = this.palette.ground
    c.beginPath()
    c.roundRect(x - 8.5, y - 8.5, 17, 17, 4)
    c.fill()
    c.translate(x - 8 * scale, y - 8 * scale)
    c.scale(scale, scale)
    c.strokeStyle = ink
    c.lineWidth = 1.6
    c.lineCap = 'round'
    c.lineJoin = 'round'
    c.stroke(path(name))
    c.restore()
  }

  private unknownEdges(scene: Scene, lane: Lane, top: number, height: number): void {
    const c = this.context
    const dots = (from: number, to: number): void => {
      if (to - from < 2) return
      c.fillStyle = this.palette.muted
      c.globalAlpha = 0.5
      for (let x = Math.floor(from / 10) * 10; x < to; x += 10) if (x >= from) c.fillRect(x, top + height / 2, 1.5, 1.5)
      c.globalAlpha = 1
    }
    dots(0, Math.min(scene.width, this.x(scene, lane.knownFromMs)))
    dots(Math.max(0, this.x(scene, lane.knownToMs)), Math.min(scene.width, this.x(scene, scene.nowMs - 15_000)))
  }

  private marks(scene: Scene): void {
    const c = this.context
    const nowX = Math.round(this.x(scene, scene.nowMs)) + 0.5
    if (nowX >= 0 && nowX <= scene.width) {
      c.strokeStyle = this.palette.now
      c.setLineDash([2, 3])
      this.line(nowX, scene.axisHeight - 4, scene.height)
      c.setLineDash([])
    }
    if (scene.hover && scene.hover.x >= 0) {
      c.strokeStyle = this.palette.muted
      c.globalAlpha = 0.7
      this.line(Math.round(scene.hover.x) + 0.5, scene.axisHeight - 4, scene.height)
      c.globalAlpha = 1
    }
    if (scene.playheadMs !== null) {
      const x = this.x(scene, scene.playheadMs)
      if (x >= -6 && x <= scene.width + 6) {
        c.strokeStyle = this.palette.playhead
        c.fillStyle = this.palette.playhead
        c.lineWidth = 2
        this.line(x, scene.axisHeight - 6, scene.height)
        c.lineWidth = 1
        c.beginPath()
        c.moveTo(x - 5, scene.axisHeight - 9)
        c.lineTo(x + 5, scene.axisHeight - 9)
        c.lineTo(x, scene.axisHeight - 1)
        c.fill()
      }
    }
  }

  private line(x: number, top: number, bottom: number): void {
    const c = this.context
    c.beginPath()
    c.moveTo(x, top)
    c.lineTo(x, bottom)
    c.stroke()
  }

  private hatch(tone: Tone): CanvasPattern | string {
    const known = this.hatches.get(tone)
    if (known) return known
    const ink = tone === 'fault' ? this.palette.fault : this.palette.planned
    // A fault's hatching leans one way and is dense, a plan's the other way and is thin: they differ without colour too.
    const size = tone === 'fault' ? 6 : 9
    const tile = pattern(size, (c) => {
      c.strokeStyle = ink
      c.lineWidth = tone === 'fault' ? 1.5 : 1
      c.globalAlpha = tone === 'before' ? 0.22 : 0.85
      const lean = tone === 'fault' ? 1 : -1
      for (const shift of [-size, 0, size]) {
        c.beginPath()
        c.moveTo(shift, lean > 0 ? size : 0)
        c.lineTo(shift + size, lean > 0 ? 0 : size)
        c.stroke()
      }
    })
    const made = this.context.createPattern(tile, 'repeat')
    if (!made) return ink
    made.setTransform(new DOMMatrix().scale(1 / TILE_RATIO))
    this.hatches.set(tone, made)
    return made
  }

  private chequer(x: number, y: number, width: number, height: number): void {
    const c = this.context
    let made = this.hatches.get('chequer')
    if (!made) {
      const tile = pattern(8, (t) => {
        t.fillStyle = this.palette.recordedSoft
        t.fillRect(0, 0, 4, 4)
        t.fillRect(4, 4, 4, 4)
      })
      made = c.createPattern(tile, 'repeat') ?? undefined
      if (!made) return
      made.setTransform(new DOMMatrix().scale(1 / TILE_RATIO))
      this.hatches.set('chequer', made)
    }
    c.fillStyle = made
    c.fillRect(x, y, width, height)
  }
}

const TILE_RATIO = 2

function pattern(size: number, paint: (context: CanvasRenderingContext2D) => void): HTMLCanvasElement {
  const tile = document.createElement('canvas')
  tile.width = tile.height = size * TILE_RATIO
  const context = tile.getContext('2d')
  if (context) {
    context.scale(TILE_RATIO, TILE_RATIO)
    paint(context)
  }
  return tile
}
