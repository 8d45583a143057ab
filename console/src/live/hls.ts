/**
 * A picture without MediaSource (an iPhone before iOS 17.1): the browser's own HLS player on what is being recorded. Some
 * seconds behind, since it plays what is durable already; the age is measured and shown like any other.
 */

import { playlistUrl, type LiveAsked } from '../api/live'
import { t } from '../i18n'
import { FIRST_STATE, type Around, type LiveState, type Opened } from './mse'
import { backOffMs } from './pace'

const TYPE = 'application/vnd.apple.mpegurl'
/** Before now: enough to hold a sync sample; after now: the playlist goes on that long, then a new one is asked for. */
const BEFORE_MS = 12_000
const AHEAD_MS = 30 * 60_000
const WATCH_MS = 250
const STALL_MS = 2_500
/** Whoever plays what is durable is so far behind at the least. */
const LATE_S = 12
const MOST_FAILURES = 3
/** A camera that records since a moment ago has no whole segment yet: Chromium calls its playlist unreadable. */
const LEAST_WAIT_MS = 2_000

export function playsHls(video: HTMLVideoElement): boolean {
  return video.canPlayType(TYPE) !== ''
}

/** Safari alone says where its media time stands on the wall. */
interface Dated extends HTMLVideoElement {
  getStartDate?: () => Date
}

export class HlsPicture implements Opened {
  private state: LiveState = FIRST_STATE
  private attempts = 0
  private failures = 0
  private frames = 0
  private openedAt = performance.now()
  /** Where media time 0 stands on the wall, as the playlist says. */
  private zeroMs: number | null = null
  private closed = false
  private retryTimer: number | undefined
  private renewTimer: number | undefined
  private readonly watchTimer: number

  constructor(
    private readonly video: HTMLVideoElement,
    private readonly asked: LiveAsked,
    private readonly around: Around,
  ) {
    video.addEventListener('error', this.failed)
    this.open()
    this.watchTimer = window.setInterval(() => this.watch(), WATCH_MS)
  }

  retryNow(): void {
    if (this.closed || this.state.phase === 'showing' || this.retryTimer === undefined) return
    this.attempts = 0
    this.open()
  }

  /** The player asks for its playlist itself, again and again: nothing to add. */
  expect(): void {
    return
  }

  close(): void {
    this.closed = true
    window.clearTimeout(this.retryTimer)
    window.clearTimeout(this.renewTimer)
    window.clearInterval(this.watchTimer)
    this.video.removeEventListener('error', this.failed)
    this.video.removeAttribute('src')
    this.video.load()
  }

  private put(change: Partial<LiveState>): void {
    this.state = { ...this.state, ...change }
    this.around.changed(this.state)
  }

  private open(): void {
    window.clearTimeout(this.retryTimer)
    window.clearTimeout(this.renewTimer)
    this.retryTimer = undefined
    const fromMs = this.around.postNow() - BEFORE_MS
    const url = playlistUrl(this.asked.camera, this.asked.stream, fromMs, fromMs + BEFORE_MS + AHEAD_MS)
    this.frames = 0
    this.zeroMs = null
    this.video.src = url
    void this.place(url)
    void this.video.play().catch(() => undefined)
    this.renewTimer = window.setTimeout(() => this.open(), AHEAD_MS - BEFORE_MS)
  }

  /** Where the first segment stands on the wall. After a gap the picture is younger than what is told: never the reverse. */
  private async place(url: string): Promise<void> {
    try {
      const said = /#EXT-X-PROGRAM-DATE-TIME:(\S+)/.exec(await (await fetch(url, { cache: 'no-store' })).text())
      const ms = Date.parse(said?.[1] ?? '')
      if (!Number.isNaN(ms)) this.zeroMs = ms
    } catch {
      // The player says itself what is wrong; without this, no age is shown.
    }
  }

  private readonly failed = (): void => {
    if (this.closed) return
    this.failures += 1
    const detail = t('live.notDecoded', { why: this.video.error?.message || t('common.unknown') })
    if (this.failures >= MOST_FAILURES) {
      this.put({ phase: 'unplayable', detail })
      return
    }
    this.put({ phase: this.state.lastFrameAt ? 'stalled' : 'connecting', detail })
    window.clearTimeout(this.retryTimer)
    this.retryTimer = window.setTimeout(() => this.open(), LEAST_WAIT_MS + backOffMs(this.attempts++, Math.random()))
  }

  private watch(): void {
    if (document.hidden) return
    const now = performance.now()
    const quality = this.video.getVideoPlaybackQuality()
    const advanced = quality.totalVideoFrames > this.frames
    this.frames = quality.totalVideoFrames
    const end = this.video.seekable.length ? this.video.seekable.end(this.video.seekable.length - 1) : this.video.currentTime
    const behindS = Math.max(0, end - this.video.currentTime)
    if (behindS > LATE_S) this.video.currentTime = Math.max(0, end - 3)
    if (advanced) {
      this.failures = 0
      this.attempts = 0
      this.put({
        phase: 'showing', lastFrameAt: now, behindS: this.ageS() ?? behindS, pictureMs: this.pictureMs(), detail: '', codec: 'HLS',
        firstFrameMs: this.state.firstFrameMs ?? now - this.openedAt, width: this.video.videoWidth,
        height: this.video.videoHeight, droppedFrames: quality.droppedVideoFrames,
      })
    } else if (this.state.phase === 'showing' && now - (this.state.lastFrameAt ?? 0) > STALL_MS) {
      this.put({ phase: 'stalled', behindS, detail: t('live.nothingNew') })
    }
  }

  /** Some seconds, always: it plays what is durable. The owner says so beside the picture. */
  private ageS(): number | null {
    const picture = this.pictureMs()
    return picture === null ? null : Math.max(0, (this.around.postNow() - picture) / 1_000)
  }

  private pictureMs(): number | null {
    const start = (this.video as Dated).getStartDate?.().getTime()
    const zero = start === undefined || Number.isNaN(start) ? this.zeroMs : start
    return zero === null ? null : zero + this.video.currentTime * 1_000
  }
}
