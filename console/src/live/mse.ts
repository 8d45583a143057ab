/**
 * One live picture: a WebSocket of live chunks into a `<video>` by Media Source Extensions.
 *
 * The owner sees a LiveState and never a guess: `showing` only while frames really advance. Whatever stops them (socket
 * closed, camera silent, decoder stuck) becomes `stalled` within STALL_MS, with the moment of the last new frame.
 * Latency is held under a second by playing a little faster while behind and by a jump when far behind.
 */

import { liveUrl } from '../api/client'
import type { LiveHello } from '../api/types'

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
  droppedTracks: number
  hasAudio: boolean
}

/** The page may claim "live" at most this long after the last chunk or new frame; a slow camera gets three of its frames. */
const SILENT_MS = 1_100
const STALL_MS = 1_400
const WATCH_MS = 200
const KEEP_BEHIND_S = 8
const JUMP_S = 1.4
const TARGET_S = 0.3
/** A stream with B-frames, or a link with jitter, runs dry at the least distance: it is given this much more each time. */
const MORE_S = 0.08
const MOST_TARGET_S = 0.65
const MAX_QUEUED_BYTES = 24 << 20
const HOPELESS_RETRY_MS = 30_000
const LOGIN_IS_OVER = 4401
const NOT_PLAYABLE = 4415

export class LivePicture {
  private socket: WebSocket | null = null
  private media: MediaSource | null = null
  private buffer: SourceBuffer | null = null
  private objectUrl: string | null = null
  private queue: ArrayBuffer[] = []
  private queuedBytes = 0
  private hello: LiveHello | null = null
  private attempts = 0
  private retryTimer: number | undefined
  private watchTimer: number | undefined
  private frames = 0
  private lastChunkAt = 0
  private targetS = TARGET_S
  private closed = false
  private state: LiveState = {
    phase: 'connecting', lastFrameAt: null, behindS: 0, pictureMs: null, detail: '', droppedTracks: 0, hasAudio: false,
  }

  constructor(
    private readonly video: HTMLVideoElement,
    private readonly camera: string,
    private readonly stream: string | undefined,
    private readonly changed: (state: LiveState) => void,
    private readonly signedOut: () => void = () => undefined,
  ) {
    video.addEventListener('waiting', this.ranDry)
    this.connect()
    this.watchTimer = window.setInterval(() => this.watch(), WATCH_MS)
  }

  /** Do not wait for the next attempt. */
  retryNow(): void {
    if (this.closed || this.socket) return
    window.clearTimeout(this.retryTimer)
    this.attempts = 0
    this.connect()
  }

  close(): void {
    this.closed = true
    this.video.removeEventListener('waiting', this.ranDry)
    window.clearTimeout(this.retryTimer)
    window.clearInterval(this.watchTimer)
    this.dropSocket()
    this.dropMedia()
  }

  private put(change: Partial<LiveState>): void {
    this.state = { ...this.state, ...change }
    this.changed(this.state)
  }

  private connect(): void {
    const socket = new WebSocket(liveUrl(this.camera, this.stream))
    socket.binaryType = 'arraybuffer'
    this.socket = socket
    socket.onmessage = (message: MessageEvent<string | ArrayBuffer>) => {
      if (socket !== this.socket) return
      if (typeof message.data === 'string') this.begin(message.data)
      else this.take(message.data)
    }
    socket.onclose = (event) => {
      if (socket !== this.socket) return
      this.socket = null
      if (event.code === LOGIN_IS_OVER) this.signedOut()
      else if (event.code === NOT_PLAYABLE) this.put({ phase: 'unplayable', detail: sentence(event.reason) })
      this.reconnect(sentence(event.reason) || 'The connection to the post was lost.')
    }
  }

  private reconnect(detail: string): void {
    if (this.closed) return
    if (this.state.phase !== 'unplayable') this.put({ phase: this.state.lastFrameAt ? 'stalled' : 'connecting', detail })
    const waitMs = this.state.phase === 'unplayable' ? HOPELESS_RETRY_MS : Math.min(5_000, 400 * 2 ** this.attempts++) * (0.75 + Math.random() / 2)
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
    this.hello = hello
    this.targetS = TARGET_S
    this.dropMedia()
    if (!hello.mime || !MediaSource.isTypeSupported(hello.mime)) {
      const codec = /codecs="([^"]*)"/.exec(hello.mime ?? '')?.[1] ?? 'unknown'
      this.put({ phase: 'unplayable', detail: `This browser cannot play the camera's format (${codec}).` })
      return
    }
    const media = new MediaSource()
    this.media = media
    this.objectUrl = URL.createObjectURL(media)
    media.onsourceopen = () => {
      if (media !== this.media) return
      const buffer = media.addSourceBuffer(hello.mime)
      buffer.mode = 'segments'
      this.buffer = buffer
      buffer.onupdateend = () => this.pump()
      this.pump()
    }
    this.video.src = this.objectUrl
    this.put({
      phase: this.state.lastFrameAt ? 'stalled' : 'connecting',
      detail: '',
      droppedTracks: hello.dropped_tracks?.length ?? 0,
      hasAudio: /mp4a|opus/i.test(hello.mime),
    })
  }

  private take(chunk: ArrayBuffer): void {
    if (!this.media) return
    this.lastChunkAt = performance.now()
    this.queue.push(chunk)
    this.queuedBytes += chunk.byteLength
    if (this.queuedBytes > MAX_QUEUED_BYTES) {
      // The decoder does not keep up: begin again at the next sync sample, rather than grow without end.
      this.dropSocket()
      this.reconnect('This computer does not keep up with the video.')
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
      this.dropSocket()
      this.reconnect(error instanceof Error ? error.message : 'The video could not be decoded.')
      return
    }
    this.follow()
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
    const end = ranges.end(ranges.length - 1)
    const start = ranges.start(ranges.length - 1)
    const behind = end - video.currentTime
    const over = behind - this.targetS
    if (behind > JUMP_S || behind < -0.2 || video.currentTime < start) {
      video.currentTime = Math.max(start, end - this.targetS)
      video.playbackRate = 1
    } else if (over > 0.35) video.playbackRate = 1.15
    else if (over > 0.15) video.playbackRate = 1.06
    else if (over < -0.2) video.playbackRate = 0.96
    else if (over < 0.06) video.playbackRate = 1
    if (video.paused && video.readyState >= 2) void video.play().catch(() => undefined)
  }

  /** Compares what is claimed with what is on the screen. */
  private watch(): void {
    if (document.hidden) return
    this.follow()
    const now = performance.now()
    const frames = this.video.getVideoPlaybackQuality().totalVideoFrames
    const ranges = this.video.buffered
    const behindS = ranges.length ? Math.max(0, ranges.end(ranges.length - 1) - this.video.currentTime) : 0
    const advanced = frames > this.frames && this.buffer !== null
    this.frames = frames
    if (advanced) this.state.lastFrameAt = now
    const fps = this.hello?.tracks?.find((t) => t.fps)?.fps ?? 0
    const slow = fps > 0 ? 3_000 / fps : 0
    // What is still in the buffer may play on, and is no longer live.
    const silent = now - this.lastChunkAt > Math.max(SILENT_MS, slow)
    if (advanced && !silent) {
      this.attempts = 0
      this.put({ phase: 'showing', behindS, pictureMs: this.pictureMs(), detail: '' })
      return
    }
    const stuck = now - (this.state.lastFrameAt ?? 0) > Math.max(STALL_MS, slow)
    if (this.video.error) {
      this.dropSocket()
      this.reconnect(`The video could not be decoded (${this.video.error.message || this.video.error.code}).`)
    } else if (this.state.phase === 'showing' && (silent || stuck)) {
      this.put({ phase: 'stalled', behindS, detail: this.socket ? 'No new picture arrives.' : this.state.detail })
    }
  }

  private pictureMs(): number | null {
    const startMs = Date.parse(this.hello?.start ?? '')
    if (Number.isNaN(startMs) || typeof this.hello?.media_start !== 'number') return null
    return startMs + (this.video.currentTime - this.hello.media_start) * 1_000
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
