/**
 * One live picture: a WebSocket of live chunks into a `<video>` by Media Source Extensions.
 *
 * The owner sees a LiveState and never a guess: `showing` only while frames really advance. Whatever stops them (socket
 * closed, camera silent, decoder stuck) becomes `stalled` within STALL_MS, with the moment of the last new frame.
 * Latency is held under a second by measure: what is played against the newest sample that has arrived (pace.ts).
 */

import { liveUrl, type LiveAsked } from '../api/live'
import type { LiveHello, LiveVia } from '../api/types'
import { t } from '../i18n'
import { backOffMs, paceOf } from './pace'

export type LivePhase = 'connecting' | 'showing' | 'stalled' | 'unplayable' | 'ended'

export interface LiveState {
  phase: LivePhase
  /** When the last new frame was on the screen (performance.now), null before the first. */
  lastFrameAt: number | null
  /** Seconds of video between what is shown and what has arrived. */
  behindS: number
  /** When the picture on the screen was taken, by the post's clock (ms); null where the post did not say. */
  pictureMs: number | null
  /** Why it does not play, as far as this end knows. */
  detail: string
  droppedTracks: readonly DroppedTrack[]
  /** There is something to hear, whether or not it goes along. */
  hasAudio: boolean
  /** The browser lets nothing be heard before somebody has touched the page. */
  soundBlocked: boolean
  /** Milliseconds from the wish for this picture to its first frame; null until then. */
  firstFrameMs: number | null
  codec: string
  width: number
  height: number
  /** Frames a second on the screen. */
  fps: number
  droppedFrames: number
  /** Through a hub: how it comes, and until when. */
  via: LiveVia | null
  /** Why it has ended, if it has: its time is over, the link carries no video, the post is not in touch. */
  ended: 'over' | 'thin' | 'away' | null
}

export interface DroppedTrack {
  kind: string
  codec: string
  why: string
}

export const FIRST_STATE: LiveState = {
  phase: 'connecting', lastFrameAt: null, behindS: 0, pictureMs: null, detail: '', droppedTracks: [], hasAudio: false,
  soundBlocked: false, firstFrameMs: null, codec: '', width: 0, height: 0, fps: 0, droppedFrames: 0, via: null, ended: null,
}

/** What a picture needs of the page around it. */
export interface Around {
  changed: (state: LiveState) => void
  /** The login is over. */
  signedOut: () => void
  /** Bytes that came in. */
  took: (bytes: number) => void
  /** The post's time (ms). */
  postNow: () => number
  /** How old the newest sample is that has arrived. */
  arrives: (ageMs: number) => void
}

/** A picture of whatever kind, as its owner handles it. */
export interface Opened {
  retryNow: () => void
  /** Whether the camera is known to send: then silence is worth another try. */
  expect: (sending: boolean) => void
  close: () => void
}

/** The page may claim "live" at most this long after the last chunk or new frame; a slow camera gets three of its frames. */
const SILENT_MS = 1_100
const STALL_MS = 1_400
const WATCH_MS = 200
/**
 * A socket of a camera that sends, and says nothing: the way is gone, though nobody told. Each try is given that much
 * more: a post that is busy and takes longer than this would else never get to answer.
 */
const DEAF_MS = 6_000
const MOST_DEAF_MS = 60_000
const KEEP_BEHIND_S = 8
const TARGET_S = 0.3
/** A stream with B-frames, or a link with jitter, runs dry at the least distance: it is given this much more each time. */
const MORE_S = 0.08
const MOST_TARGET_S = 0.65
const MAX_QUEUED_BYTES = 24 << 20
const HOPELESS_RETRY_MS = 30_000
const MOST_DECODE_FAILURES = 3
const LOGIN_IS_OVER = 4401
const NOT_PLAYABLE = 4415
/** Every transcode that the post allows itself is in use. */
const NO_TRANSCODE_LEFT = 4503
/** Through a hub: the time that was asked for is over; the post's link carries no video. */
const TIME_IS_OVER = 4408
const TOO_THIN = 4409
const POST_AWAY = 4410

type AnyMediaSource = typeof MediaSource

/** What this browser has: MediaSource, an iPhone's ManagedMediaSource, or nothing. */
export function mediaSource(): AnyMediaSource | null {
  const has = window as { MediaSource?: AnyMediaSource; ManagedMediaSource?: AnyMediaSource }
  return has.MediaSource ?? has.ManagedMediaSource ?? null
}

export class LivePicture implements Opened {
  private socket: WebSocket | null = null
  private media: MediaSource | null = null
  private buffer: SourceBuffer | null = null
  private objectUrl: string | null = null
  private queue: ArrayBuffer[] = []
  private queuedBytes = 0
  private hello: LiveHello | null = null
  private attempts = 0
  private decodeFailures = 0
  private retryTimer: number | undefined
  private readonly watchTimer: number
  private readonly openedAt = performance.now()
  private frames = 0
  private countedAt = 0
  private lastChunkAt = 0
  private connectedAt = 0
  private toldAt = 0
  private targetS = TARGET_S
  private sending = false
  private soundRefused = false
  private closed = false
  private state: LiveState = FIRST_STATE

  constructor(
    private readonly video: HTMLVideoElement,
    private readonly asked: LiveAsked,
    private readonly around: Around,
  ) {
    video.addEventListener('waiting', this.ranDry)
    video.disableRemotePlayback = true // without it, ManagedMediaSource stays shut
    this.connect()
    this.watchTimer = window.setInterval(() => this.watch(), WATCH_MS)
    window.addEventListener('online', this.back)
    document.addEventListener('visibilitychange', this.back)
  }

  /** Do not wait for the next attempt. */
  retryNow(): void {
    if (this.closed || this.socket) return
    window.clearTimeout(this.retryTimer)
    this.attempts = 0
    this.connect()
  }

  expect(sending: boolean): void {
    this.sending = sending
  }

  close(): void {
    this.closed = true
    this.video.removeEventListener('waiting', this.ranDry)
    window.removeEventListener('online', this.back)
    document.removeEventListener('visibilitychange', this.back)
    window.clearTimeout(this.retryTimer)
    window.clearInterval(this.watchTimer)
    this.dropSocket()
    this.dropMedia()
    this.video.removeAttribute('src')
  }

  private readonly back = (): void => {
    if (!document.hidden && this.state.phase !== 'unplayable') this.retryNow()
  }

  private put(change: Partial<LiveState>): void {
    this.state = { ...this.state, ...change }
    this.around.changed(this.state)
  }

  private connect(): void {
    const socket = new WebSocket(liveUrl({ ...this.asked, audio: this.asked.audio && !this.soundRefused }))
    socket.binaryType = 'arraybuffer'
    this.socket = socket
    this.connectedAt = performance.now()
    socket.onmessage = (message: MessageEvent<string | ArrayBuffer>) => {
      if (socket !== this.socket) return
      if (typeof message.data === 'string') this.begin(message.data)
      else this.take(message.data)
    }
    socket.onclose = (event) => {
      if (socket !== this.socket) return
      this.socket = null
      if (event.code === TIME_IS_OVER || event.code === TOO_THIN || event.code === POST_AWAY) {
        // Whoever asked decides what comes next.
        this.put({ phase: 'ended', ended: event.code === TOO_THIN ? 'thin' : event.code === POST_AWAY ? 'away' : 'over', detail: sentence(event.reason) })
        return
      }
      if (event.code === LOGIN_IS_OVER) this.around.signedOut()
      else if (event.code === NOT_PLAYABLE || event.code === NO_TRANSCODE_LEFT) this.put({ phase: 'unplayable', detail: sentence(event.reason) })
      this.reconnect(sentence(event.reason) || t('live.lost'))
    }
  }

  private reconnect(detail: string): void {
    if (this.closed) return
    window.clearTimeout(this.retryTimer)
    const hopeless = this.state.phase === 'unplayable'
    if (!hopeless) this.put({ phase: this.state.lastFrameAt ? 'stalled' : 'connecting', detail })
    const waitMs = hopeless ? HOPELESS_RETRY_MS : backOffMs(this.attempts++, Math.random())
    this.retryTimer = window.setTimeout(() => this.connect(), waitMs)
  }

  /** A new JSON text: the first of a connection, or the parameters changed; media begins anew. */
  private begin(text: string): void {
    let hello: LiveHello
    try {
      hello = JSON.parse(text) as LiveHello
    } catch {
      return
    }
    if (hello.mime === undefined) {
      this.hello = { ...this.hello, ...hello }
      return
    }
    const known = mediaSource()
    this.hello = hello
    this.targetS = TARGET_S
    this.dropMedia()
    if (!known || !hello.mime || !known.isTypeSupported(hello.mime)) {
      this.refuse(hello, known)
      return
    }
    const video = hello.tracks?.find((track) => track.kind !== 'audio')
    if (hello.via) this.put({ via: hello.via })
    this.put({
      phase: this.state.lastFrameAt ? 'stalled' : 'connecting',
      detail: '',
      droppedTracks: hello.dropped_tracks ?? [],
      hasAudio: Boolean(hello.audio),
      codec: video?.codec_string ?? video?.codec ?? '',
      width: video?.width ?? 0,
      height: video?.height ?? 0,
    })
    this.fill(hello.mime, known)
  }

  private fill(mime: string, kind: AnyMediaSource): void {
    const media = new kind()
    this.media = media
    this.objectUrl = URL.createObjectURL(media)
    media.onsourceopen = () => {
      if (media !== this.media) return
      const buffer = media.addSourceBuffer(mime)
      buffer.mode = 'segments'
      this.buffer = buffer
      buffer.onupdateend = () => this.pump()
      this.pump()
    }
    this.video.src = this.objectUrl
    this.video.requestVideoFrameCallback?.(() => this.firstFrame())
  }

  /** To the frame, where the browser tells; the watch looks five times a second only. */
  private firstFrame(): void {
    if (!this.closed && this.state.phase !== 'showing') this.watch()
  }

  /** The browser plays none of it, or only the picture: then it is asked for without the sound. */
  private refuse(hello: LiveHello, known: AnyMediaSource | null): void {
    const codecs = /codecs="([^"]*)"/.exec(hello.mime ?? '')?.[1]?.split(',') ?? []
    const picture = codecs.length > 1 && known?.isTypeSupported(`video/mp4; codecs="${codecs[0]}"`)
    if (picture && !this.soundRefused) {
      this.soundRefused = true
      this.dropSocket()
      this.connect()
      return
    }
    const codec = codecs[0] || hello.dropped_tracks?.find((track) => track.kind === 'video')?.codec || ''
    this.put({ phase: 'unplayable', codec, detail: t('live.unplayable', { codec: codec || t('common.unknown') }) })
  }

  private take(chunk: ArrayBuffer): void {
    this.around.took(chunk.byteLength)
    if (!this.media) return
    this.lastChunkAt = performance.now()
    this.queue.push(chunk)
    this.queuedBytes += chunk.byteLength
    if (this.queuedBytes > MAX_QUEUED_BYTES) {
      // The decoder does not keep up: begin again at the next sync sample, rather than grow without end.
      this.dropSocket()
      this.reconnect(t('live.tooSlow'))
      return
    }
    this.pump()
  }

  private pump(): void {
    const buffer = this.buffer
    if (!buffer || buffer.updating || this.media?.readyState !== 'open') return
    const video = this.video
    const start = buffer.buffered.length ? buffer.buffered.start(0) : 0
    try {
      if (buffer.buffered.length && video.currentTime - start > KEEP_BEHIND_S * 2) {
        buffer.remove(start, video.currentTime - KEEP_BEHIND_S)
        return
      }
      const next = this.queue.length > 1 ? join(this.queue) : this.queue[0]
      if (!next) return
      this.queue = []
      this.queuedBytes = 0
      buffer.appendBuffer(next)
    } catch (error) {
      this.failed(error instanceof Error ? error.message : '')
      return
    }
    this.follow()
  }

  /** The decoder or the buffer gave up: begin again at a sync sample; after a few times say that it cannot be played. */
  private failed(why: string): void {
    this.dropSocket()
    this.dropMedia()
    this.decodeFailures += 1
    const detail = t('live.notDecoded', { why: why || t('common.unknown') })
    if (this.decodeFailures >= MOST_DECODE_FAILURES) this.put({ phase: 'unplayable', detail })
    this.reconnect(detail)
  }

  /** Chunks come, and yet there was nothing to show: the distance was too small for this stream. */
  private readonly ranDry = (): void => {
    const flowing = this.state.phase === 'showing' && performance.now() - this.lastChunkAt < SILENT_MS / 2
    if (flowing) this.targetS = Math.min(MOST_TARGET_S, this.targetS + MORE_S)
  }

  /** Keeps the picture at the live edge. */
  private follow(): void {
    const video = this.video
    const ranges = video.buffered
    if (!ranges.length) return
    const last = ranges.length - 1
    const pace = paceOf({ at: video.currentTime, start: ranges.start(last), end: ranges.end(last), target: this.targetS })
    if (pace.jump !== null) video.currentTime = pace.jump
    if (video.playbackRate !== pace.rate) video.playbackRate = pace.rate
    if (video.paused && video.readyState >= 2) void video.play().catch((error: unknown) => this.refusedToPlay(error))
  }

  private refusedToPlay(error: unknown): void {
    if (!(error instanceof DOMException) || error.name !== 'NotAllowedError' || this.video.muted) return
    this.video.muted = true
    this.put({ soundBlocked: true })
  }

  /** Compares what is claimed with what is on the screen. */
  private watch(): void {
    if (document.hidden) return
    this.follow()
    const now = performance.now()
    const quality = this.video.getVideoPlaybackQuality()
    const frames = quality.totalVideoFrames
    const advanced = frames > this.frames && this.buffer !== null
    if (advanced) this.count(now, frames, quality.droppedVideoFrames)
    this.frames = frames
    const fps = this.hello?.tracks?.find((track) => track.fps)?.fps ?? 0
    const slow = fps > 0 ? 3_000 / fps : 0
    // What is still in the buffer may play on, and is no longer live.
    const silent = now - this.lastChunkAt > Math.max(SILENT_MS, slow)
    if (!silent) this.tellAge(now)
    if (advanced && !silent) {
      this.attempts = 0
      this.put({ phase: 'showing', behindS: this.behindS(), pictureMs: this.wallMs(this.video.currentTime), detail: '' })
      return
    }
    const stuck = now - (this.state.lastFrameAt ?? 0) > Math.max(STALL_MS, slow)
    if (this.video.error) this.failed(this.video.error.message || String(this.video.error.code))
    else if (this.state.phase === 'showing' && (silent || stuck)) {
      this.put({ phase: 'stalled', behindS: this.behindS(), detail: this.socket ? t('live.nothingNew') : this.state.detail })
    }
    const heardAt = Math.max(this.lastChunkAt, this.connectedAt)
    if (this.sending && this.socket && now - heardAt > Math.max(Math.min(MOST_DEAF_MS, DEAF_MS * (1 + this.attempts)), 2 * slow)) {
      this.dropSocket()
      this.reconnect(t('live.lost'))
    }
  }

  private count(now: number, frames: number, droppedFrames: number): void {
    const passedMs = now - this.countedAt
    const fps = passedMs < 2_000 && this.frames < frames ? ((frames - this.frames) * 1_000) / passedMs : this.state.fps
    this.countedAt = now
    this.decodeFailures = 0
    const firstFrameMs = this.state.firstFrameMs ?? now - this.openedAt
    this.state = { ...this.state, lastFrameAt: now, firstFrameMs, droppedFrames, fps: this.state.fps * 0.8 + fps * 0.2 }
  }

  /** Once a second: how late is what arrives. */
  private tellAge(now: number): void {
    const ranges = this.video.buffered
    if (now - this.toldAt < 1_000 || !ranges.length) return
    this.toldAt = now
    const newest = this.wallMs(ranges.end(ranges.length - 1))
    if (newest !== null) this.around.arrives(this.around.postNow() - newest)
  }

  private behindS(): number {
    const ranges = this.video.buffered
    return ranges.length ? Math.max(0, ranges.end(ranges.length - 1) - this.video.currentTime) : 0
  }

  /** When, by the post's clock, the sample of that media time came in there. */
  private wallMs(mediaS: number): number | null {
    const startMs = Date.parse(this.hello?.start ?? '')
    if (Number.isNaN(startMs) || typeof this.hello?.media_start !== 'number') return null
    return startMs + (mediaS - this.hello.media_start) * 1_000
  }

  private dropSocket(): void {
    const socket = this.socket
    this.socket = null
    if (!socket) return
    socket.onmessage = socket.onclose = null
    // Closing one that is still being opened is an error to the browser's console; so it is closed when it is open.
    if (socket.readyState === WebSocket.CONNECTING) socket.onopen = () => socket.close()
    else socket.close()
  }

  private dropMedia(): void {
    this.queue = []
    this.queuedBytes = 0
    this.frames = Number.MAX_SAFE_INTEGER // until the new media's own count is read
    if (this.buffer) this.buffer.onupdateend = null
    this.buffer = null
    this.media = null
    if (this.objectUrl) URL.revokeObjectURL(this.objectUrl)
    this.objectUrl = null
  }
}

function sentence(text: string): string {
  return text && `${text.charAt(0).toUpperCase()}${text.slice(1)}${/[.!?]$/.test(text) ? '' : '.'}`
}

function join(parts: readonly ArrayBuffer[]): ArrayBuffer {
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.byteLength, 0))
  let offset = 0
  for (const part of parts) {
    all.set(new Uint8Array(part), offset)
    offset += part.byteLength
  }
  return all.buffer
}
