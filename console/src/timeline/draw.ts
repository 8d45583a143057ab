/**
 * Draws lanes of time on a canvas. Recorded is one calm bar; a gap is hatched, with the icon of its cause where there is
 * room; what is not known yet is empty; what is held elsewhere is a chequerboard. A gap never vanishes by being short.
 */

import type { Tone } from '../causes'
import { ICONS, type IconName } from '../parts/icons'
import * as time from '../time'
import { LADDER, tileMs, type Found } from './levels'
import { MONTH, stepFor, ticks, type Tick, type Ticks } from './ticks'
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
  seenMotion: string
  seenDetection: string
  seenAlert: string
}

export interface Lane {
  id: string
  /** The best that is at hand of the view, in order; what no piece covers is drawn as being read. */
  found: readonly Found[]
  selected: boolean
  /** What retention keeps: [from, to) in milliseconds. */
  held: readonly (readonly [number, number])[]
  /** What is on its way from a post: [from, to) in milliseconds, and how much of it is here, 0 to 1. */
  asked: readonly (readonly [number, number, number])[]
  /** What was seen: [from, to] in milliseconds, level 0 to 2, how many; in the order of their begin. */
  seen: readonly (readonly [number, number, number, number])[]
  /** Recorded while the view was hidden: [from, to) in milliseconds. */
  blind: readonly (readonly [number, number, ...unknown[]])[]
}

/** Of each code: how it looks and how much it weighs where two share a pixel. */
export interface Looks {
  tone: Tone | 'pending' | 'recorded' | 'gone' | 'post'
  icon: IconName
  weight: number
}

export interface Scene {
  width: number
  height: number
  ratio: number
  view: View
  lanes: readonly Lane[]
  laneHeight: number
  /** At the foot of each lane, for what was seen; 0 where nobody looks. */
  seenHeight: number
  axisHeight: number
  /** How far the lanes are scrolled under the axis. */
  scrollTop: number
  zone: string
  nowMs: number
  looks: (code: number) => Looks
  playheadMs: number | null
  /** What is marked to be exported or protected; either end may be missing. */
  marked: { inMs: number | null; outMs: number | null }
  hover: { x: number; y: number } | null
}

const MIN_GAP_PX = 2
/** Parts of the foot that motion, a detection and an alert stand high: they are told apart without colour. */
const SEEN_TALL = [0.42, 0.72, 1] as const
const MIN_SEEN_PX = 2
/** A share of absence is drawn at least this high, so that it is seen. */
const LEAST_SHARE = 0.34
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
      const label = labelOf(tick, step, zone)
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
    const whole = scene.laneHeight - 6
    const height = whole - (scene.seenHeight ? scene.seenHeight + 1 : 0)
    if (top > scene.height || top + whole < scene.axisHeight) return
    const nowX = this.x(scene, scene.nowMs)
    c.fillStyle = this.palette.lane
    c.fillRect(0, top, Math.max(0, Math.min(nowX, scene.width)), whole)
    const bars = new Bars(scene.looks)
    for (const piece of lane.found) this.read(scene, piece, bars)
    bars.end()
    c.fillStyle = lane.selected ? this.palette.recorded : this.palette.recordedSoft
    for (const bar of bars.recorded) c.fillRect(bar.from, top, Math.max(0.5, bar.to - bar.from), height)
    for (const bar of bars.others) this.bar(scene, bar, top, height)
    this.blind(scene, lane, top, height)
    this.seen(scene, lane, top + whole)
    this.unread(scene, lane, top, height)
    this.held(scene, lane, top)
    this.asked(scene, lane, top + height)
  }

  /** The spans of one tile that lie in view, as pixels. */
  private read(scene: Scene, piece: Found, bars: Bars): void {
    const stepMs = LADDER[piece.level] as number
    const origin = piece.tile * tileMs(piece.level)
    const { at, code, share } = piece.strip
    const scale = scene.width / (scene.view.toMs - scene.view.fromMs)
    const x = (ms: number): number => (ms - scene.view.fromMs) * scale
    const end = Math.min(piece.toMs, scene.nowMs)
    let n = 0
    let high = at.length
    const first = (piece.fromMs - origin) / stepMs
    while (n + 1 < high) {
      const middle = (n + high) >> 1
      if ((at[middle] as number) > first) high = middle
      else n = middle
    }
    for (; n < at.length; n++) {
      const from = Math.max(piece.fromMs, origin + (at[n] as number) * stepMs)
      if (from >= end) break
      const to = n + 1 < at.length ? origin + (at[n + 1] as number) * stepMs : piece.toMs
      bars.add(x(from), x(Math.min(to, end)), code[n] as number, share[n] as number)
    }
  }

  private bar(scene: Scene, bar: Bar, top: number, height: number): void {
    const looks = scene.looks(bar.code)
    if (looks.tone === 'post') this.chequer(bar.from, top, bar.to - bar.from, height)
    else if (looks.tone === 'gone') this.gone(bar, top, height)
    else if (looks.tone !== 'pending' && looks.tone !== 'recorded') this.gap(bar, looks, top, height)
  }

  /** Recorded once and removed since: the bar's ghost, so that it is neither footage nor a gap. */
  private gone(bar: Bar, top: number, height: number): void {
    const c = this.context
    c.globalAlpha = 0.55
    c.strokeStyle = this.palette.recordedSoft
    c.strokeRect(bar.from + 0.5, top + 0.5, Math.max(1, bar.to - bar.from - 1), height - 1)
    c.fillStyle = this.palette.recordedSoft
    c.globalAlpha = 0.18
    c.fillRect(bar.from, top, bar.to - bar.from, height)
    c.globalAlpha = 1
  }

  private gap(bar: Bar, looks: Looks, top: number, height: number): void {
    const c = this.context
    const width = Math.max(bar.to - bar.from, MIN_GAP_PX)
    const left = bar.to - bar.from < MIN_GAP_PX ? (bar.from + bar.to) / 2 - MIN_GAP_PX / 2 : bar.from
    if (looks.tone === 'before') {
      // Nothing was promised yet: hardly a mark.
      if (bar.share) return
      c.fillStyle = this.palette.ground
      c.fillRect(left, top, width, height)
      c.fillStyle = this.hatch('before')
      c.fillRect(left, top, width, height)
      return
    }
    const fault = looks.tone === 'fault'
    const ink = fault ? this.palette.fault : this.palette.planned
    // Something is there and something is not: as high as what is absent, and never nothing.
    const tall = bar.share ? Math.max(LEAST_SHARE, bar.share / 100) * height : height
    const y = top + height - tall
    if (width < 4) {
      c.fillStyle = ink
      c.fillRect(left, y, width, tall)
      return
    }
    c.fillStyle = fault ? this.palette.faultGround : this.palette.plannedGround
    c.fillRect(left, y, width, tall)
    c.fillStyle = this.hatch(fault ? 'fault' : 'planned')
    c.fillRect(left, y, width, tall)
    c.fillStyle = ink
    c.fillRect(left, y, 1, tall)
    c.fillRect(left + width - 1, y, 1, tall)
    if (width >= MIN_ICON_PX && tall >= 14) this.icon(looks.icon, left + width / 2, y + tall / 2, ink)
  }

  /** Recorded, and the view hidden: crossed hatching over the bar, which no gap has, and a crossed-out eye. */
  private blind(scene: Scene, lane: Lane, top: number, height: number): void {
    const c = this.context
    for (const [fromMs, toMs] of lane.blind) {
      const from = Math.max(-4, this.x(scene, fromMs))
      const to = Math.min(scene.width + 4, Math.max(from + MIN_SEEN_PX, this.x(scene, Math.min(toMs, scene.nowMs))))
      if (to < 0 || from > scene.width) continue
      c.fillStyle = this.hatch('blind')
      c.fillRect(from, top, to - from, height)
      c.fillStyle = this.palette.seenAlert
      c.fillRect(from, top, to - from, 1.5)
      c.fillRect(from, top + height - 1.5, to - from, 1.5)
      c.fillRect(from, top, 1.5, height)
      c.fillRect(to - 1.5, top, 1.5, height)
      if (to - from >= MIN_ICON_PX && height >= 14) this.icon('hidden', (Math.max(from, 0) + Math.min(to, scene.width)) / 2, top + height / 2, this.palette.seenAlert)
    }
  }

  /** What was seen, standing on the foot of the lane; the gravest is drawn last, so that it hides and is never hidden. */
  private seen(scene: Scene, lane: Lane, foot: number): void {
    if (!scene.seenHeight) return
    const c = this.context
    const inks = [this.palette.seenMotion, this.palette.seenDetection, this.palette.seenAlert] as const
    inks.forEach((ink, level) => {
      c.fillStyle = ink
      const tall = Math.max(2, Math.round(scene.seenHeight * (SEEN_TALL[level] ?? 1)))
      for (const [fromMs, toMs, of] of lane.seen) {
        if (of !== level) continue
        const from = this.x(scene, fromMs)
        if (from > scene.width) break
        const to = Math.max(from + MIN_SEEN_PX, this.x(scene, Math.min(toMs, scene.nowMs)))
        if (to >= 0) c.fillRect(Math.max(from, -4), foot - tall, Math.min(to, scene.width + 4) - Math.max(from, -4), tall)
      }
    })
  }

  /** Kept by a hold: a line along the top, closed at its ends. */
  private held(scene: Scene, lane: Lane, top: number): void {
    const c = this.context
    for (const [fromMs, toMs] of lane.held) {
      const from = Math.max(-4, this.x(scene, fromMs))
      const to = Math.min(scene.width + 4, this.x(scene, toMs))
      if (to < 0 || from > scene.width || to - from < 1) continue
      c.fillStyle = this.palette.text
      c.fillRect(from, top - 2, to - from, 2)
      c.fillRect(from, top - 2, 1.5, 6)
      c.fillRect(to - 1.5, top - 2, 1.5, 6)
      if (to - from > 26) this.icon('lock', Math.max(from, 0) + 12, top + 8, this.palette.text)
    }
  }

  /** On its way: a line along the foot, thick as far as it has come. */
  private asked(scene: Scene, lane: Lane, foot: number): void {
    const c = this.context
    for (const [fromMs, toMs, share] of lane.asked) {
      const from = Math.max(-4, this.x(scene, fromMs))
      const to = Math.max(from + MIN_GAP_PX, Math.min(scene.width + 4, this.x(scene, toMs)))
      if (to < 0 || from > scene.width) continue
      c.fillStyle = this.palette.now
      c.fillRect(from, foot - 2, to - from, 2)
      c.fillRect(from, foot - 5, (to - from) * share, 5)
      if (to - from > 26) this.icon('ask', from + 12, foot - 11, this.palette.text)
    }
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

  private unread(scene: Scene, lane: Lane, top: number, height: number): void {
    const c = this.context
    const dots = (fromMs: number, toMs: number): void => {
      const from = Math.max(0, this.x(scene, fromMs))
      const to = Math.min(scene.width, this.x(scene, Math.min(toMs, scene.nowMs - 15_000)))
      if (to - from < 2) return
      c.fillStyle = this.palette.muted
      c.globalAlpha = 0.5
      for (let x = Math.ceil(from / 10) * 10; x < to; x += 10) c.fillRect(x, top + height / 2, 1.5, 1.5)
      c.globalAlpha = 1
    }
    let known = scene.view.fromMs
    for (const piece of lane.found) {
      dots(known, piece.fromMs)
      known = Math.max(known, piece.toMs)
    }
    dots(known, scene.view.toMs)
  }

  /** What was marked: shaded, with a bracket at each end. */
  private marked(scene: Scene): void {
    const c = this.context
    const { inMs, outMs } = scene.marked
    if (inMs === null && outMs === null) return
    const from = inMs === null ? null : this.x(scene, inMs)
    const to = outMs === null ? null : this.x(scene, outMs)
    c.fillStyle = this.palette.now
    if (from !== null && to !== null) {
      c.globalAlpha = 0.16
      c.fillRect(from, scene.axisHeight - 5, to - from, scene.height)
      c.globalAlpha = 1
    }
    for (const [x, lean] of [[from, 1], [to, -1]] as const) {
      if (x === null || x < -8 || x > scene.width + 8) continue
      c.fillRect(x - (lean < 0 ? 2 : 0), scene.axisHeight - 8, 2, scene.height)
      c.fillRect(lean > 0 ? x : x - 7, scene.axisHeight - 8, 7, 3)
    }
  }

  private marks(scene: Scene): void {
    this.marked(scene)
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

  private hatch(tone: Tone | 'blind'): CanvasPattern | string {
    const known = this.hatches.get(tone)
    if (known) return known
    const ink = tone === 'blind' ? this.palette.seenAlert : tone === 'fault' ? this.palette.fault : this.palette.planned
    // A fault's hatching leans one way and is dense, a plan's the other way and is thin: they differ without colour too.
    const size = tone === 'fault' ? 6 : tone === 'blind' ? 7 : 9
    const tile = pattern(size, (c) => {
      c.strokeStyle = ink
      c.lineWidth = tone === 'fault' ? 1.5 : 1
      c.globalAlpha = tone === 'before' ? 0.22 : 0.85
      const leans = tone === 'blind' ? [1, -1] : [tone === 'fault' ? 1 : -1]
      for (const lean of leans) {
        for (const shift of [-size, 0, size]) {
          c.beginPath()
          c.moveTo(shift, lean > 0 ? size : 0)
          c.lineTo(shift + size, lean > 0 ? 0 : size)
          c.stroke()
        }
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

function labelOf(tick: Tick, step: number, zone: string): string {
  if (step >= MONTH) return time.month(tick.ms, zone)
  if (tick.midnight) return time.day(tick.ms, zone)
  return step < 1_000 ? time.clockTenths(tick.ms, zone) : time.clock(tick.ms, zone, step < 60_000)
}

interface Bar {
  from: number
  to: number
  code: number
  share: number
}

/** Spans as bars of pixels: neighbours that look the same are one, and of what shares a pixel the gravest is kept. */
class Bars {
  readonly recorded: Bar[] = []
  readonly others: Bar[] = []
  private small: Bar | null = null

  constructor(private readonly looks: (code: number) => Looks) {}

  add(from: number, to: number, code: number, share: number): void {
    if (to <= from) return
    if (to - from >= 1) {
      this.end()
      this.put(from, to, code, share)
      return
    }
    const pixel = Math.floor(from)
    const small = this.small
    if (small && small.from === pixel) {
      if (this.looks(code).weight > this.looks(small.code).weight) {
        small.code = code
        small.share = share || 50
      } else if (small.code > 3 && code === 1) small.share ||= 50
      return
    }
    this.end()
    this.small = { from: pixel, to: pixel + 1, code, share }
  }

  end(): void {
    const small = this.small
    this.small = null
    if (small) this.put(small.from, small.to, small.code, small.share)
  }

  private put(from: number, to: number, code: number, share: number): void {
    const { tone } = this.looks(code)
    if (tone === 'pending') return
    // Where something is absent in part, the rest is there.
    if (tone === 'recorded' || share) join(this.recorded, from, to, 1, 0)
    if (tone !== 'recorded') join(this.others, from, to, code, share)
  }
}

function join(bars: Bar[], from: number, to: number, code: number, share: number): void {
  const last = bars.at(-1)
  if (last && last.code === code && last.share === share && from - last.to < 0.6) last.to = to
  else bars.push({ from, to, code, share })
}

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
