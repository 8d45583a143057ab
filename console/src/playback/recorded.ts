/**
 * Plays what was recorded of one camera, by wall time: from a moment onward, stretch by stretch, over the gaps.
 *
 * A stretch is one mp4 of at most CHUNK_MS without a gap in it, so that media time and wall time differ by a constant.
 * Two `<video>` elements take turns: one plays while the other loads what comes next. A gap is never jumped in silence:
 * the state says `gap` with its cause first, up to NOTICE_MS. At the end of what is recorded, `atEnd` is called.
 */

import { Problem, videoUrl } from '../api/client'
import { itemAt, recordedBefore, recordedFrom, type Item } from '../timeline/spans'

export interface PlaybackState {
  phase: 'loading' | 'playing' | 'paused' | 'gap' | 'end' | 'failed'
  wallMs: number
  /** What is being skipped, while the phase is `gap`. */
  gap: { fromMs: number; toMs: number; cause: string | null } | null
  detail: string
  /** Which of the two elements shows the picture. */
  front: 0 | 1
  rate: number
}

export interface Timeline {
  /** Items around a moment, fetched where they are not known. */
  around(ms: number): Promise<readonly Item[]>
  nowMs(): number
}

interface Chunk {
  fromMs: number
  toMs: number
  /** Wall time of media time zero; the asked start until the metadata tell better. */
  originMs: number
}

const CHUNK_MS = 5 * 60_000
const PRELOAD_S = 15
const NOTICE_MS = 2_400
/** A gap of a few frames is said too, about as long as it lasted. */
const LEAST_NOTICE_MS = 300
const EDGE_MS = 1_500
/** A stretch longer than asked by more than this begins before what was asked: its edit list was not applied. */
const PREROLL_MS = 250

export class RecordedPlayer {
  private readonly chunks: [Chunk | null, Chunk | null] = [null, null]
  private state: PlaybackState = {
    phase: 'loading', wallMs: 0, gap: null, detail: '', front: 0, rate: 1,
  }
  private wantsPlay = true
  private turn = 0
  private frameMs: number
  private lastFrameMs = 0
  private noticeTimer: number | undefined
  private closed = false

  constructor(
    private readonly videos: readonly [HTMLVideoElement, HTMLVideoElement],
    private readonly camera: string,
    fps: number | null | undefined,
    private readonly timeline: Timeline,
    private readonly changed: (state: PlaybackState) => void,
    private readonly atEnd: () => void,
  ) {
    this.frameMs = 1_000 / (fps && fps > 0 ? fps : 25)
    videos.forEach((video, index) => {
      video.preload = 'auto'
      video.addEventListener('ended', this.onEnded)
      video.addEventListener('error', this.onError)
      video.addEventListener('timeupdate', this.onTime)
      video.addEventListener('seeked', this.onTime)
      this.countFrames(video, index as 0 | 1)
    })
  }

  close(): void {
    this.closed = true
    this.turn += 1
    window.clearTimeout(this.noticeTimer)
    for (const video of this.videos) {
      video.removeEventListener('ended', this.onEnded)
      video.removeEventListener('error', this.onError)
      video.removeEventListener('timeupdate', this.onTime)
      video.removeEventListener('seeked', this.onTime)
      video.removeAttribute('src')
      video.load()
    }
  }

  get wallMs(): number {
    return this.state.wallMs
  }

  /** Shows the moment, or the next one that was recorded. */
  async seek(wallMs: number, play = this.wantsPlay, backwards = false): Promise<void> {
    const turn = ++this.turn
    this.wantsPlay = play
    window.clearTimeout(this.noticeTimer)
    const now = this.timeline.nowMs()
    const target = Math.min(wallMs, now)
    const loaded = this.chunks[this.state.front]
    if (loaded && target >= loaded.fromMs && target < loaded.toMs - 40 && this.front.readyState >= 1) {
      this.front.currentTime = Math.max(0, (target - loaded.originMs) / 1_000)
      this.put({ phase: play ? 'playing' : 'paused', wallMs: target, gap: null, detail: '' })
      await this.playOrPause(this.front)
      return
    }
    this.front.pause()
    this.put({ phase: 'loading', wallMs: target, gap: null, detail: '' })
    const items = await this.timeline.around(target)
    if (turn !== this.turn) return
    let at = target
    if (backwards && itemAt(items, target)?.state === 'gap') {
      const before = recordedBefore(items, target)
      if (before) at = Math.max(before.fromMs, before.toMs - 2_000)
    }
    const next = recordedFrom(items, at)
    if (!next || now - Math.max(at, next.fromMs) < EDGE_MS) {
      this.end(target)
      return
    }
    const from = Math.max(at, next.fromMs)
    const back = this.back
    this.load(back, this.chunkFrom(next, from))
    if (from > at + 1) await this.notice(turn, at, from, items)
    if (turn === this.turn) await this.swap(turn, back)
  }

  async toggle(): Promise<void> {
    this.wantsPlay = !this.wantsPlay
    if (this.state.phase === 'end' || this.state.phase === 'failed') await this.seek(this.state.wallMs, true)
    else await this.playOrPause(this.front)
  }

  skip(byMs: number): Promise<void> {
    return this.seek(this.state.wallMs + byMs, this.wantsPlay, byMs < 0)
  }

  /** One frame on or back, paused. */
  step(frames: 1 | -1): Promise<void> {
    return this.seek(this.state.wallMs + frames * this.frameMs + 1, false, frames < 0)
  }

  set rate(rate: number) {
    for (const video of this.videos) video.playbackRate = video.defaultPlaybackRate = rate
    this.put({ rate })
  }

  private get front(): HTMLVideoElement {
    return this.videos[this.state.front]
  }

  private get back(): 0 | 1 {
    return this.state.front === 0 ? 1 : 0
  }

  private put(change: Partial<PlaybackState>): void {
    if (this.closed) return
    this.state = { ...this.state, ...change }
    this.changed(this.state)
  }

  private end(wallMs: number): void {
    this.front.pause()
    this.put({ phase: 'end', wallMs, gap: null })
    this.atEnd()
  }

  private chunkFrom(item: Item, fromMs: number): Chunk {
    const toMs = Math.min(item.toMs, fromMs + CHUNK_MS)
    return { fromMs, toMs, originMs: fromMs }
  }

  private load(index: 0 | 1, chunk: Chunk): void {
    const video = this.videos[index]
    this.chunks[index] = chunk
    video.src = videoUrl(this.camera, chunk.fromMs, chunk.toMs)
    video.playbackRate = video.defaultPlaybackRate = this.state.rate
    video.load()
  }

  /** Says what is being skipped, long enough to be read. */
  private async notice(turn: number, fromMs: number, toMs: number, items: readonly Item[]): Promise<void> {
    const gap = items.find((item) => item.state === 'gap' && item.toMs > fromMs && item.fromMs < toMs)
    this.put({ phase: 'gap', gap: { fromMs: gap ? Math.min(gap.fromMs, fromMs) : fromMs, toMs, cause: gap?.cause ?? null } })
    const noticeMs = Math.max(LEAST_NOTICE_MS, Math.min(NOTICE_MS, toMs - fromMs))
    await new Promise<void>((done) => {
      this.noticeTimer = window.setTimeout(done, noticeMs)
    })
    if (turn === this.turn) this.put({ wallMs: toMs })
  }

  /** Brings the loaded element to the front and goes on there. */
  private async swap(turn: number, index: 0 | 1): Promise<void> {
    const video = this.videos[index]
    const chunk = this.chunks[index]
    if (!chunk) return
    await ready(video)
    if (turn !== this.turn) return
    if (video.error) {
      await this.explain(chunk)
      return
    }
    this.place(video, chunk)
    const old = this.front
    this.put({ front: index, gap: null, wallMs: chunk.fromMs })
    old.pause()
    await this.playOrPause(video)
  }

  /** A browser that ignores the edit list shows the pre-roll: then the origin lies before what was asked. */
  private place(video: HTMLVideoElement, chunk: Chunk): void {
    const longerMs = video.duration * 1_000 - (chunk.toMs - chunk.fromMs)
    if (Number.isFinite(longerMs) && longerMs > PREROLL_MS) {
      chunk.originMs = chunk.fromMs - longerMs
      video.currentTime = longerMs / 1_000
    }
  }

  private async playOrPause(video: HTMLVideoElement): Promise<void> {
    if (!this.wantsPlay) {
      video.pause()
      this.put({ phase: 'paused' })
      return
    }
    try {
      await video.play()
      this.put({ phase: 'playing' })
    } catch (error) {
      // Only a refusal is worth a word; an interrupted play() is followed by another.
      if (error instanceof DOMException && error.name === 'NotAllowedError') {
        this.wantsPlay = false
        this.put({ phase: 'paused', detail: 'The browser waits for a click before it plays.' })
      }
    }
  }

  private countFrames(video: HTMLVideoElement, index: 0 | 1): void {
    const seen: VideoFrameRequestCallback = (_, frame) => {
      if (this.closed) return
      const delta = frame.mediaTime * 1_000 - this.lastFrameMs
      if (index === this.state.front && delta > 5 && delta < 250) this.frameMs += (delta - this.frameMs) * 0.1
      this.lastFrameMs = frame.mediaTime * 1_000
      if (index === this.state.front) this.onTime()
      video.requestVideoFrameCallback(seen)
    }
    if ('requestVideoFrameCallback' in video) video.requestVideoFrameCallback(seen)
  }

  private readonly onTime = (): void => {
    const chunk = this.chunks[this.state.front]
    if (!chunk || this.state.phase === 'gap' || this.state.phase === 'loading') return
    const video = this.front
    const wallMs = Math.min(chunk.originMs + video.currentTime * 1_000, chunk.toMs)
    this.put({ wallMs })
    if (this.wantsPlay && (chunk.toMs - wallMs) / 1_000 < PRELOAD_S * this.state.rate) void this.prepare(chunk)
  }

  private async prepare(current: Chunk): Promise<void> {
    const ahead = this.chunks[this.back]
    if (ahead && ahead.fromMs >= current.toMs - 1) return
    const turn = this.turn
    const items = await this.timeline.around(current.toMs)
    if (turn !== this.turn || this.chunks[this.state.front] !== current) return
    const again = this.chunks[this.back]
    if (again && again.fromMs >= current.toMs - 1) return
    const next = recordedFrom(items, current.toMs + 1)
    if (!next) return
    const from = Math.max(current.toMs, next.fromMs)
    // Near the growing end a stretch would be a moment long: wait until there is something worth loading.
    if (next.toMs - from < 5_000 && this.timeline.nowMs() - next.toMs < 10_000) return
    this.load(this.back, this.chunkFrom(next, from))
  }

  private readonly onEnded = (event: Event): void => {
    if (event.currentTarget !== this.front) return
    const current = this.chunks[this.state.front]
    const ahead = this.chunks[this.back]
    if (!current) return
    if (!ahead || ahead.fromMs < current.toMs - 1) {
      this.chunks[this.state.front] = null
      void this.seek(current.toMs + 1, true)
      return
    }
    const turn = ++this.turn
    void (async () => {
      if (ahead.fromMs > current.toMs + 50) {
        await this.notice(turn, current.toMs, ahead.fromMs, await this.timeline.around(current.toMs))
      }
      if (turn === this.turn) await this.swap(turn, this.back)
    })()
  }

  private readonly onError = (event: Event): void => {
    const chunk = this.chunks[this.state.front]
    if (event.currentTarget === this.front && chunk && this.front.getAttribute('src')) void this.explain(chunk)
  }

  /** A media element tells nothing of the answer it got; asking for one byte does. */
  private async explain(chunk: Chunk): Promise<void> {
    let detail = 'The video could not be played.'
    try {
      const answer = await fetch(videoUrl(this.camera, chunk.fromMs, chunk.toMs), { headers: { Range: 'bytes=0-0' } })
      if (!answer.ok) {
        const said = (await answer.json()) as { what?: string; why?: string }
        detail = [said.what, said.why].filter(Boolean).join(': ') || `The post answered ${answer.status}.`
      } else detail = 'This browser cannot play what was recorded.'
    } catch (error) {
      if (error instanceof Problem) detail = error.message
    }
    this.put({ phase: 'failed', detail })
  }
}

/** Resolves when the element has its first frame, or failed. */
function ready(video: HTMLVideoElement): Promise<void> {
  if (video.readyState >= 2 || video.error) return Promise.resolve()
  return new Promise((done) => {
    const finish = (): void => {
      video.removeEventListener('loadeddata', finish)
      video.removeEventListener('error', finish)
      done()
    }
    video.addEventListener('loadeddata', finish)
    video.addEventListener('error', finish)
  })
}
