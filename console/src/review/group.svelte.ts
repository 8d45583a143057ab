/**
 * Up to nine cameras on one clock. The clock says which moment is shown; each camera's player is kept to it by its rate, and
 * by a seek where it is far off (docs/design/review.md). A gap of one camera is shown on that camera while the others go on.
 *
 * Owner of the state: this object; `run` is its loop, a frame of the page at a time.
 */

import { session } from '../state/session.svelte'
import { timelines } from '../state/timelines.svelte'
import { itemAt, recordedBefore, recordedFrom, type Item } from '../timeline/spans'
import { faster, paceOf, PLAY_LIMIT, ReviewClock, SEEK_MS, slaved, type Pace } from './clock'
import { Footage } from './footage'
import { stepped } from './frames'
import { Lateness } from './lateness'

export type Showing = 'loading' | 'picture' | 'gap' | 'end' | 'gone' | 'post' | 'unplayable' | 'failed'

export interface CellState {
  showing: Showing
  item: Item | null
  /** Wall time of the picture that is on the screen, by the player's own word. */
  pictureMs: number | null
  detail: string
}

const FIRST: CellState = { showing: 'loading', item: null, pictureMs: null, detail: '' }
/** So long all cameras wait for one that loads; then they go on without it. */
const PATIENCE_MS = 4_000
const ITEMS_EVERY_MS = 1_000
/** So long a gap of all cameras is shown before it is passed. */
const NOTICE_MS = 2_400
const REACH_MS = 600_000
/** At the growing end the clock stands until there is so much to play: it does not go from picture to picture. */
const AHEAD_MS = 1_500
/** Somebody who went back into a gap goes on so long before it. */
const BEFORE_GAP_MS = 2_000
const SLOW_MS = 2_500
/** Of an HTMLMediaElement: it has the picture of where it stands. */
const HAVE_CURRENT_DATA = 2
/** Frames of the page between two looks at what is missing. */
const FEED_EVERY_MS = 120

export class Member {
  state = $state.raw<CellState>(FIRST)
  readonly footage: Footage
  private soughtAt = 0
  private soughtMs: number | null = null
  private lateSince: number | null = null
  private tired = false
  /** Its player has decoded something: until then it is black, whatever is at hand. */
  private painted = false
  private itemsAt = 0
  private arrivals = timelines.arrivals
  private readonly late = new Lateness()
  private closed = false

  constructor(
    readonly camera: string,
    readonly video: HTMLVideoElement,
    onchange: () => void,
  ) {
    this.footage = new Footage(video, camera, onchange)
    video.muted = true
    video.preload = 'auto'
    if ('requestVideoFrameCallback' in video) video.requestVideoFrameCallback(this.shown)
  }

  close(): void {
    this.closed = true
    this.footage.close()
  }

  /** How much can be played from the moment on. */
  aheadMs(wallMs: number): number {
    return this.footage.frames.until(wallMs) - wallMs
  }

  get slow(): boolean {
    return this.tired
  }

  /** One look: where this camera is, and what its player does next. Says whether the clock has to wait for it. */
  follow(wallMs: number, rate: number, moves: boolean, playing: boolean, pace: Pace, nowMs: number, feeds: boolean): boolean {
    const known = timelines.of(this.camera)
    const accounted = known?.accountedMs ?? session.nowMs()
    if (feeds && nowMs - this.itemsAt > ITEMS_EVERY_MS) {
      this.itemsAt = nowMs
      const span = Math.max(120_000, Math.abs(rate) * 30_000)
      void timelines.ensure(this.camera, wallMs - span, Math.min(wallMs + span, session.nowMs()))
    }
    if (this.arrivals !== timelines.arrivals) {
      this.arrivals = timelines.arrivals
      this.footage.relist()
    }
    const own = this.tired && pace === 'play' && Math.abs(rate) > 1 ? 'keys' : pace
    if (feeds && own !== 'stills') this.footage.feed(wallMs, aheadOf(rate), accounted, rate < 0, (from, to) => this.recorded(from, to))
    const item = known ? itemAt(known.items, wallMs) : null
    const showing = this.showing(item, wallMs, accounted, own)
    if (showing !== 'picture') this.video.pause()
    else if (own === 'stills') this.video.pause()
    else if (own === 'keys') this.step(this.footage.frames.keyAt(wallMs), nowMs)
    else if (playing && moves) this.slave(wallMs, rate, nowMs)
    else {
      this.video.pause()
      this.step(this.footage.frames.at(wallMs), nowMs)
    }
    this.put(showing, item, own)
    if (own !== 'play') return false
    return showing === 'loading' || (showing === 'picture' && !moves && !this.ready(wallMs))
  }

  /** A picture comes to the screen. */
  private readonly shown: VideoFrameRequestCallback = (_, frame) => {
    if (this.closed) return
    const { video } = this
    if (!video.paused && !video.seeking) {
      const ahead = (frame.expectedDisplayTime - performance.now()) * video.playbackRate
      this.late.heard(video.currentTime * 1_000 + ahead, frame.mediaTime * 1_000)
    }
    video.requestVideoFrameCallback(this.shown)
  }

  private recorded(fromMs: number, toMs: number): boolean {
    const found = recordedFrom(timelines.of(this.camera)?.items ?? [], fromMs)
    return found !== null && found.fromMs < toMs - 1
  }

  private showing(item: Item | null, wallMs: number, accountedMs: number, pace: Pace): Showing {
    if (this.footage.problem === 'unplayable') return 'unplayable'
    if (item?.state === 'gap') return 'gap'
    if (item?.held === 'gone') return 'gone'
    if (item?.held === 'post') return 'post'
    if (wallMs >= accountedMs || item?.state === 'pending') return 'end'
    if (pace === 'stills' || this.footage.frames.has(wallMs)) return 'picture'
    if (this.footage.problem === 'failed') return 'failed'
    // The timeline is to the microsecond, the playlist ends with a group of pictures: the last moment may not be there yet.
    if (item && this.footage.emptyAt(wallMs) && accountedMs - wallMs < 8_000) return 'end'
    return 'loading'
  }

  private ready(wallMs: number): boolean {
    if (this.video.seeking || this.video.readyState < 2) return false
    return Math.abs(this.footage.wallMs(this.video.currentTime) - wallMs) < SEEK_MS
  }

  /** Kept to the clock while it runs. */
  private slave(wallMs: number, rate: number, nowMs: number): void {
    const video = this.video
    if (video.seeking) return
    const offMs = this.footage.wallMs(video.currentTime) - this.late.ms - wallMs
    const wanted = slaved(rate, offMs)
    this.tire(wanted === null || offMs < -120 * rate, nowMs)
    if (wanted === null) {
      if (nowMs - this.soughtAt > 700) this.seek(wallMs + (video.paused ? 0 : 120 * rate), nowMs)
      return
    }
    if (Math.abs(video.playbackRate - wanted) > 0.004 * rate) video.playbackRate = wanted
    if (video.paused) void video.play().catch(() => undefined)
    this.soughtMs = null
  }

  /** A player that is behind for long cannot decode that fast: it shows key frames instead, until the rate changes. */
  private tire(late: boolean, nowMs: number): void {
    if (!late) this.lateSince = null
    else {
      this.lateSince ??= nowMs
      if (nowMs - this.lateSince > SLOW_MS) this.tired = true
    }
  }

  rested(): void {
    this.tired = false
    this.lateSince = null
  }

  /** Shows one picture, if it is another than the one that was asked for last. */
  private step(frameMs: number | null, nowMs: number): void {
    this.video.pause()
    if (frameMs === null || this.video.seeking) return
    if (this.soughtMs !== null && Math.abs(this.soughtMs - frameMs) < 0.5) return
    this.seek(frameMs, nowMs)
    this.soughtMs = frameMs
  }

  private seek(wallMs: number, nowMs: number): void {
    if (!this.footage.open) return
    this.soughtAt = nowMs
    this.late.again()
    // A little behind its beginning, so that rounding does not show the picture before it.
    this.video.currentTime = this.footage.mediaS(wallMs + 1)
  }

  private put(now: Showing, item: Item | null, pace: Pace): void {
    if (!this.footage.open) {
      // It begins afresh, or has not begun: what was sought in the player before says nothing of the next.
      this.painted = false
      this.soughtMs = null
    } else if (this.video.readyState >= HAVE_CURRENT_DATA) this.painted = true
    const showing = now === 'picture' && !this.painted && pace !== 'stills' ? 'loading' : now
    const pictureMs = showing === 'picture' && this.footage.open ? this.footage.wallMs(this.video.currentTime) : null
    const before = this.state
    if (before.showing !== showing || before.item !== item || Math.abs((before.pictureMs ?? 0) - (pictureMs ?? 0)) > 200) {
      this.state = { showing, item, pictureMs, detail: this.footage.detail }
    }
  }
}

function aheadOf(rate: number): number {
  return Math.min(90_000, 8_000 + 8_000 * Math.abs(rate))
}

export class ReviewGroup {
  wallMs = $state(0)
  rate = $state(1)
  playing = $state(false)
  waits = $state(false)
  pace = $state<Pace>('play')
  /** The moment under the finger while somebody drags; pictures come from the strips then. */
  scrubMs = $state<number | null>(null)
  members = $state.raw<Member[]>([])

  private readonly clock: ReviewClock
  private handle = 0
  private fedAt = 0
  private waitedSince: number | null = null
  private told = 0
  private lastWall = NaN
  private gapSince: number | null = null
  /** It stands because what comes next lies at a post; it goes on by itself when that is here. */
  private stands = false
  private postSince: number | null = null
  private ended = false
  private wentBack = false
  private reachMs = REACH_MS
  private reachedAt = 0

  constructor(wallMs: number) {
    this.clock = new ReviewClock(wallMs)
    this.wallMs = wallMs
    this.handle = requestAnimationFrame(this.run)
  }

  close(): void {
    cancelAnimationFrame(this.handle)
    for (const member of this.members) member.close()
    this.members = []
  }

  add(camera: string, video: HTMLVideoElement): Member {
    const member = new Member(camera, video, () => (this.fedAt = 0))
    this.members = [...this.members, member]
    return member
  }

  remove(member: Member): void {
    member.close()
    this.members = this.members.filter((each) => each !== member)
  }

  play(): void {
    this.clock.play(performance.now())
    this.playing = true
  }

  pause(): void {
    this.stands = false
    const now = performance.now()
    this.clock.pause(now)
    this.playing = false
    // Told at once: what is stepped or marked from here is counted from where it stands, not from where it was last told.
    this.wallMs = this.clock.at(now)
  }

  toggle(): void {
    if (this.playing) this.pause()
    else this.play()
  }

  seek(wallMs: number): void {
    this.stands = false
    const at = Math.min(wallMs, session.nowMs() - 500)
    this.clock.seek(at, performance.now())
    this.waitedSince = null
    this.ended = false
    this.wentBack = false
    this.wallMs = at
    this.scrubMs = null
    this.fedAt = 0
  }

  skip(byMs: number): void {
    this.seek(this.clock.at(performance.now()) + byMs)
    this.wentBack = byMs < 0
  }

  setRate(rate: number): void {
    this.clock.setRate(rate, performance.now())
    this.rate = rate
    for (const member of this.members) member.rested()
  }

  faster(by: 1 | -1): void {
    this.setRate(faster(this.rate, by))
  }

  /** Backwards by key frames, or forwards again. */
  turn(): void {
    this.setRate(this.rate < 0 ? 1 : -Math.max(1, Math.min(16, this.rate)))
    this.play()
  }

  /** One frame on or back over all cameras: the nearest picture of any of them. */
  step(by: 1 | -1): void {
    this.pause()
    const to = stepped(this.members.map((member) => member.footage.frames), this.wallMs, by)
    if (to !== null) this.seek(to)
  }

  /** Nothing to see but what lies at a post: the clock stands there long enough for somebody to ask for it. */
  private standAtPost(nowMs: number): void {
    const shown = this.members.map((member) => member.state.showing)
    const nothing = shown.includes('post') && shown.every((each) => each === 'post' || each === 'gap' || each === 'gone')
    if (!nothing) this.postSince = null
    if (nothing && this.playing) {
      this.postSince ??= nowMs
      if (nowMs - this.postSince < NOTICE_MS) return
      this.pause()
      this.stands = true
    } else if (this.stands && shown.includes('picture')) {
      this.stands = false
      this.play()
    }
  }

  /** Where no camera has footage, the gap is shown long enough to be read; then the clock goes on at the next footage of any. */
  private passGap(wallMs: number, nowMs: number): void {
    const nothing = this.members.length > 0 && this.members.every((m) => m.state.showing === 'gap' || m.state.showing === 'gone')
    if (!nothing || !this.playing) {
      this.gapSince = null
      return
    }
    this.gapSince ??= nowMs
    if (nowMs - this.gapSince < NOTICE_MS) return
    // Who went back into a gap wants what was before it, and not to be brought where they came from.
    const by = this.rate > 0 && !this.wentBack ? 1 : -1
    const to = this.footageFrom(wallMs, by)
    if (to !== null) this.seek(this.wentBack ? to - BEFORE_GAP_MS : to)
    else if (nowMs - this.reachedAt > ITEMS_EVERY_MS) {
      // Not within what is known: look further, and further each time.
      this.reachedAt = nowMs
      this.reachMs = Math.min(this.reachMs * 4, 400 * 86_400_000)
      const [from, until] = by > 0 ? [wallMs, wallMs + this.reachMs] : [wallMs - this.reachMs, wallMs]
      for (const { camera } of this.members) void timelines.ensure(camera, from, Math.min(until, session.nowMs()))
    }
  }

  private footageFrom(wallMs: number, by: 1 | -1): number | null {
    let best: number | null = null
    for (const member of this.members) {
      const items = timelines.of(member.camera)?.items ?? []
      const found = by > 0 ? recordedFrom(items, wallMs) : recordedBefore(items, wallMs)
      const ms = found ? (by > 0 ? Math.max(found.fromMs, wallMs) : Math.min(found.toMs - 1, wallMs)) : null
      if (ms !== null && (best === null || (by > 0 ? ms < best : ms > best))) best = ms
    }
    this.reachMs = best === null ? this.reachMs : REACH_MS
    return best
  }

  private readonly run = (nowMs: number): void => {
    this.handle = requestAnimationFrame(this.run)
    // Frame times and performance.now are one clock; a frame's may lie a little back.
    const wallMs = this.clock.at(nowMs)
    const rate = this.rate
    const pace = paceOf(rate, PLAY_LIMIT)
    const feeds = nowMs - this.fedAt > FEED_EVERY_MS
    if (feeds) this.fedAt = nowMs
    const moves = this.clock.moves
    let waiting = false
    for (const member of this.members) if (member.follow(wallMs, rate, moves, this.playing, pace, nowMs, feeds)) waiting = true
    this.end(wallMs)
    this.wait(waiting, nowMs)
    this.standAtPost(nowMs)
    this.passGap(wallMs, nowMs)
    this.tell(wallMs, pace, nowMs)
  }

  /** Where nothing more is recorded yet, the clock waits for it, and goes on at the speed of time. */
  private end(wallMs: number): void {
    const all = this.members.length > 0 && this.members.every((m) => m.state.showing === 'end')
    this.ended = this.playing && this.rate > 0 && (all || (this.ended && !this.members.some((m) => m.aheadMs(wallMs) > AHEAD_MS)))
    if (this.ended && this.rate > 1) this.setRate(1)
  }

  private wait(waiting: boolean, nowMs: number): void {
    if (!waiting) this.waitedSince = null
    else this.waitedSince ??= nowMs
    const patient = this.waitedSince !== null && nowMs - this.waitedSince < PATIENCE_MS
    this.clock.hold((waiting && patient) || this.ended, nowMs)
  }

  private tell(wallMs: number, pace: Pace, nowMs: number): void {
    const waits = this.clock.waits
    if (waits !== this.waits) this.waits = waits
    if (pace !== this.pace) this.pace = pace
    if (wallMs !== this.lastWall && (nowMs - this.told > 80 || !this.playing)) {
      this.told = nowMs
      this.lastWall = wallMs
      this.wallMs = wallMs
    }
  }
}
