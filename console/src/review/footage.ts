/**
 * The footage of one camera as a MediaSource that is fed around the clock: the playlist says which parts there are and
 * at what wall time, each part is appended where the wall puts it, so that media time is wall time less a constant.
 *
 * Owner of the state: this object. What it fetches is bounded (one part at a time, AHEAD and BEHIND of the clock; less of both once the browser
 * threw something away for want of room). A player in error is begun afresh.
 */

import { Problem, request, stamp } from '../api/client'
import { framesOf, initInfo, type InitInfo } from './fmp4'
import { covered, Frames } from './frames'
import { parsePlaylist, type Part } from './playlist'

const WINDOW_MS = 5 * 60_000
const REACH_S = 10_000_000
/** Media time zero lies this long before the first moment asked for, so that one may go back. */
const BACK_MS = 30 * 86_400_000
const BEHIND_MS = 12_000
const EVICT_MS = 60_000
const RELIST_MS = 1_500
const JITTER_S = 0.004
/** Rounding must not tell a picture from the one before it. */
const WITHIN_S = 0.001
/** A browser that has no room for all of it holds this share of it at least. */
const LEAST_ROOM = 1 / 8

/** Safari on a phone has the managed kind only, and only for players that stay on it. */
const Media: typeof MediaSource | undefined =
  (globalThis as { ManagedMediaSource?: typeof MediaSource }).ManagedMediaSource ?? (globalThis as { MediaSource?: typeof MediaSource }).MediaSource

interface Listed {
  parts: Part[]
  toMs: number
  askedAt: number
}

interface Source {
  media: MediaSource
  buffer: SourceBuffer
  mime: string
}

export type FootageProblem = 'unplayable' | 'failed' | null

export class Footage {
  readonly frames = new Frames()
  problem: FootageProblem = null
  detail = ''

  private baseMs = 0
  private source: Source | null = null
  private opening = false
  private url = ''
  private busy = false
  private closed = false
  private readonly listed = new Map<number, Listed>()
  private readonly inits = new Map<string, { bytes: ArrayBuffer; info: InitInfo }>()
  private initUri = ''
  private offset: { uri: string; run: string; s: number } | null = null
  private retryAt = 0
  /** The share of AHEAD and BEHIND for which the browser has room. */
  private room = 1
  /** This browser does not play what was stored: the post makes H.264 of it, as far as it has transcodes to spare. */
  recoded = false

  constructor(
    readonly video: HTMLVideoElement,
    private readonly camera: string,
    private readonly changed: () => void,
  ) {}

  close(): void {
    this.closed = true
    this.drop()
    this.video.removeAttribute('src')
    this.video.load()
  }

  /** Media time of a moment, in seconds. */
  mediaS(wallMs: number): number {
    return (wallMs - this.baseMs) / 1_000
  }

  wallMs(mediaS: number): number {
    return this.baseMs + mediaS * 1_000
  }

  get open(): boolean {
    return this.source !== null
  }

  /**
   * Called often: fetches what is missing next around the moment, one thing at a time. accountedMs: nothing is known after it.
   * recorded: whether the timeline knows of footage in a stretch; nothing is asked for where there is none.
   */
  feed(wallMs: number, aheadMs: number, accountedMs: number, backwards: boolean, recorded: (fromMs: number, toMs: number) => boolean): void {
    if (this.closed || this.busy || this.problem === 'unplayable' || performance.now() < this.retryAt) return
    if (this.source && this.video.error) {
      this.failed(new Error(this.video.error.message))
      return
    }
    this.check()
    if (this.baseMs === 0 || wallMs < this.baseMs || this.mediaS(wallMs) > REACH_S - 86_400) this.begin(wallMs)
    const [before, after] = backwards ? [aheadMs, BEHIND_MS] : [BEHIND_MS, aheadMs]
    const from = wallMs - before * this.room
    const to = Math.min(wallMs + after * this.room, accountedMs)
    const work = this.next(wallMs, from, to, accountedMs, backwards, recorded)
    if (!work) return
    this.busy = true
    void work()
      .catch((error: unknown) => this.failed(error))
      .finally(() => {
        this.busy = false
        if (!this.closed) this.changed()
      })
  }

  /** Whether the playlist is known there, and lists nothing: the index knows of no picture, whatever the timeline says. */
  emptyAt(ms: number): boolean {
    const listed = this.listed.get(Math.floor(ms / WINDOW_MS))
    return listed !== undefined && listed.toMs > ms && !covered(listed.parts, ms)
  }

  /** There may be more to play than was listed. */
  relist(): void {
    this.listed.clear()
  }

  /** What the browser has thrown away is fetched again where it is needed. */
  private check(): void {
    const { source } = this
    if (!source || source.media.readyState === 'closed' || source.buffer.updating) return
    if (this.frames.lost(this.holds(source))) this.room = Math.max(LEAST_ROOM, this.room / 2)
  }

  private holds(source: Source): (ms: number) => boolean {
    const { buffered } = source.buffer
    const ranges = Array.from({ length: buffered.length }, (_, n) => [buffered.start(n), buffered.end(n)] as const)
    return (ms) => {
      const s = this.mediaS(ms) + WITHIN_S
      return ranges.some(([from, to]) => from <= s && s < to)
    }
  }

  private begin(wallMs: number): void {
    this.drop()
    this.baseMs = Math.floor((wallMs - BACK_MS) / 86_400_000) * 86_400_000
  }

  private drop(): void {
    this.frames.clear()
    this.initUri = ''
    this.offset = null
    this.source = null
    this.opening = false
    if (this.url) URL.revokeObjectURL(this.url)
    this.url = ''
  }

  private next(
    atMs: number, fromMs: number, toMs: number, accountedMs: number, backwards: boolean, recorded: (fromMs: number, toMs: number) => boolean,
  ): (() => Promise<void>) | null {
    const first = Math.floor(fromMs / WINDOW_MS)
    const last = Math.floor(toMs / WINDOW_MS)
    const here = Math.floor(atMs / WINDOW_MS)
    const windows: number[] = []
    for (let n = first; n <= last; n++) windows.push(n)
    windows.sort((a, b) => Math.abs(a - here) - Math.abs(b - here))
    for (const n of windows) {
      const listed = this.listed.get(n)
      const end = Math.min((n + 1) * WINDOW_MS, accountedMs)
      if (end <= n * WINDOW_MS || !recorded(n * WINDOW_MS, end)) continue
      if (!listed) return () => this.list(n, end)
      const grows = listed.toMs < (n + 1) * WINDOW_MS && listed.toMs < toMs && end > listed.toMs + 400
      if (grows && performance.now() - listed.askedAt > RELIST_MS) return () => this.list(n, end)
    }
    const wanted: Part[] = []
    for (const n of windows) for (const part of this.listed.get(n)?.parts ?? []) if (part.toMs > fromMs && part.fromMs < toMs && !this.has(part)) wanted.push(part)
    if (!wanted.length) return null
    // What is shown now first, then what is shown next.
    const cost = (p: Part): number => {
      if (p.fromMs <= atMs && atMs < p.toMs) return -1
      const ahead = backwards ? atMs - p.toMs : p.fromMs - atMs
      return ahead >= 0 ? ahead : 1e7 - ahead
    }
    wanted.sort((a, b) => cost(a) - cost(b))
    const part = wanted[0] as Part
    return () => this.append(part, atMs)
  }

  private has(part: Part): boolean {
    return this.frames.all.some((s) => s.fromMs <= part.fromMs + 1 && s.toMs >= part.toMs - 1)
  }

  private address(rest: string): string {
    return `/api/v1/cameras/${encodeURIComponent(this.camera)}/${rest}`
  }

  private async get(rest: string): Promise<Response | null> {
    try {
      return await request('GET', this.address(rest), undefined, 20_000)
    } catch (error) {
      if (error instanceof Problem && error.status === 404) return null
      throw error
    }
  }

  private async list(window: number, toMs: number): Promise<void> {
    const query = new URLSearchParams({ from: stamp(window * WINDOW_MS), to: stamp(toMs), ...(this.recoded ? { transcode: 'h264' } : {}) })
    const answer = await this.get(`playlist.m3u8?${query.toString()}`)
    const parts = answer ? parsePlaylist(await answer.text()) : []
    this.listed.set(window, { parts, toMs, askedAt: performance.now() })
    if (this.listed.size > 64) this.listed.delete(this.listed.keys().next().value as number)
  }

  private async append(part: Part, atMs: number): Promise<void> {
    const init = this.inits.get(part.mapUri) ?? (await this.fetchInit(part.mapUri))
    if (!init) return
    const answer = await this.get(part.uri)
    if (!answer) {
      // Retention was quicker: the playlist is read again.
      this.listed.clear()
      return
    }
    const bytes = await answer.arrayBuffer()
    const found = framesOf(bytes, init.info.videoTrack)
    const firstPts = found[0]?.pts
    if (firstPts === undefined || this.closed) return
    const source = await this.opened(init.info.mime)
    if (!source || this.closed) return
    const offsetS = this.offsetOf(part, this.mediaS(part.fromMs) - firstPts / init.info.timescale)
    if (this.initUri !== part.mapUri) {
      if (source.mime !== init.info.mime && 'changeType' in source.buffer) source.buffer.changeType(init.info.mime)
      source.mime = init.info.mime
      await this.put(source, init.bytes)
      this.initUri = part.mapUri
    }
    await idle(source.buffer)
    source.buffer.timestampOffset = offsetS
    await this.put(source, bytes)
    const ms = Float64Array.from(found, (frame) => this.wallMs(offsetS + frame.pts / init.info.timescale))
    this.frames.put({ key: part.key, fromMs: part.fromMs, toMs: Math.max(part.toMs, (ms.at(-1) ?? 0) + 1), ms, sync: Uint8Array.from(found, (f) => Number(f.sync)) })
    this.frames.take(part.key, this.holds(source))
    await this.evict(source, atMs, EVICT_MS * this.room)
    this.problem = null
  }

  /** Parts of one run follow each other without a seam, unless the wall says otherwise by more than a little. */
  private offsetOf(part: Part, exact: number): number {
    const run = part.key.split('/')[0] ?? ''
    const last = this.offset
    const rounded = Math.round(exact * 1e6) / 1e6
    const s = last && last.run === run && last.uri === part.mapUri && Math.abs(last.s - rounded) < JITTER_S ? last.s : rounded
    this.offset = { uri: part.mapUri, run, s }
    return s
  }

  private async fetchInit(uri: string): Promise<{ bytes: ArrayBuffer; info: InitInfo } | null> {
    const answer = await this.get(uri)
    if (!answer) return null
    const bytes = await answer.arrayBuffer()
    const info = initInfo(bytes)
    if (info && Media && !this.recoded && !Media.isTypeSupported(info.mime)) {
      this.recoded = true
      this.inits.clear()
      this.listed.clear()
      return null
    }
    if (!info || !Media?.isTypeSupported(info.mime)) {
      this.problem = 'unplayable'
      this.detail = info?.mime ?? ''
      return null
    }
    const made = { bytes, info }
    this.inits.set(uri, made)
    return made
  }

  private async opened(mime: string): Promise<Source | null> {
    if (this.source) return this.source
    if (this.opening || !Media) return null
    this.opening = true
    const media = new Media()
    this.video.disableRemotePlayback = true
    this.url = URL.createObjectURL(media)
    const opened = new Promise<void>((done, fail) => {
      media.addEventListener('sourceopen', () => done(), { once: true })
      this.video.addEventListener('error', () => fail(new Error(this.video.error?.message || 'the browser cannot play it')), { once: true })
    })
    this.video.src = this.url
    await opened
    media.duration = REACH_S
    const buffer = media.addSourceBuffer(mime)
    buffer.mode = 'segments'
    this.source = { media, buffer, mime }
    this.opening = false
    return this.source
  }

  private async put(source: Source, bytes: ArrayBuffer): Promise<void> {
    await idle(source.buffer)
    try {
      source.buffer.appendBuffer(bytes)
    } catch (error) {
      if (!(error instanceof DOMException && error.name === 'QuotaExceededError')) throw error
      await this.evict(source, this.wallMs(this.video.currentTime), 8_000)
      source.buffer.appendBuffer(bytes)
    }
    await idle(source.buffer)
  }

  private async evict(source: Source, atMs: number, keepMs = EVICT_MS): Promise<void> {
    for (const gone of this.frames.keep(atMs - keepMs, atMs + 3 * keepMs)) {
      await idle(source.buffer)
      const from = Math.max(0, this.mediaS(gone.fromMs))
      if (this.frames.all.some((s) => s.fromMs < gone.toMs && s.toMs > gone.fromMs)) continue
      // Up to its last picture: what goes a little further takes a whole group of pictures of the next.
      source.buffer.remove(from, this.mediaS(gone.ms.at(-1) ?? gone.toMs) + WITHIN_S)
    }
    await idle(source.buffer)
  }

  private failed(error: unknown): void {
    if (this.closed) return
    this.retryAt = performance.now() + 1_000
    this.problem = 'failed'
    this.detail = error instanceof Problem ? error.message : error instanceof Error ? error.message : String(error)
    // A source in error takes nothing more, nor does one that never opened: begin with a fresh one.
    if (this.opening || (this.source && (this.video.error || this.source.media.readyState !== 'open'))) this.drop()
  }
}

function idle(buffer: SourceBuffer): Promise<void> {
  if (!buffer.updating) return Promise.resolve()
  return new Promise((done) => buffer.addEventListener('updateend', () => done(), { once: true }))
}
