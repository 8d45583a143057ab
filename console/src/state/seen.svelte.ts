/**
 * What was seen: for the timelines, many events together over the view and around it; and each change as it happens. One instance for the page.
 *
 * The post puts together what a pixel cannot tell apart, so that a year is as quick as a second. What was read last is drawn until the
 * next is there.
 */

import { crowds, type SeenEvent } from '../api/events'
import { LADDER, levelFor } from '../timeline/levels'
import type { View } from '../timeline/view'
import { session } from './session.svelte'

/** [from, to] in milliseconds, level 0 to 2, how many. */
export type Crowd = readonly [number, number, number, number]
export type Blind = readonly [fromMs: number, toMs: number, how: string, id: string]

export interface Change {
  phase: 'new' | 'update' | 'end' | 'reviewed' | 'missed'
  event?: SeenEvent
}

const RENEW_MS = 15_000
const SETTLED_MS = 400
const IDLE_MS = 2_000
const AGAIN_MS = [1_000, 3_000, 10_000, 30_000]
const NONE: readonly never[] = []

interface Read {
  fromMs: number
  toMs: number
  level: number
  cameras: ReadonlySet<string>
  at: number
  crowds: ReadonlyMap<string, readonly Crowd[]>
  blind: ReadonlyMap<string, readonly Blind[]>
}

class Seen {
  /** Rises when something came: canvases draw again. */
  version = $state(0)

  private read: Read | null = null
  private asking = false
  private notBefore = 0
  private dirty = false
  private readonly told = new Set<(change: Change) => void>()
  private socket: WebSocket | null = null
  private failures = 0
  private timer = 0

  crowds(camera: string): readonly Crowd[] {
    return this.read?.crowds.get(camera) ?? NONE
  }

  blind(camera: string): readonly Blind[] {
    return this.read?.blind.get(camera) ?? NONE
  }

  /** Asks for what the view of these cameras lacks. Called often. */
  fill(view: View, width: number, cameras: readonly string[]): void {
    const now = performance.now()
    if (!session.loaded || session.silent || this.asking || !cameras.length || width < 1 || now < this.notBefore) return
    const level = levelFor((view.toMs - view.fromMs) / width)
    const read = this.read
    const fits = read && read.level === level && read.fromMs <= view.fromMs && read.toMs >= Math.min(view.toMs, session.nowMs()) && cameras.every((id) => read.cameras.has(id))
    if (fits && !this.dirty && now - read.at < RENEW_MS) return
    void this.fetch(view, level, cameras)
  }

  private async fetch(view: View, level: number, cameras: readonly string[]): Promise<void> {
    this.asking = true
    this.dirty = false
    const span = view.toMs - view.fromMs
    const step = LADDER[level] as number
    const fromMs = Math.floor((view.fromMs - span) / step) * step
    const toMs = Math.min(Math.ceil((view.toMs + span) / step) * step, Math.ceil(session.nowMs()) + 60_000)
    try {
      if (toMs <= fromMs) return
      const asked = cameras.slice(0, 128)
      const answer = await crowds(asked, fromMs, toMs, Math.min(8_192, Math.max(1, Math.round((toMs - fromMs) / step))))
      const end = (us: number | null): number => (us === null ? Infinity : us / 1_000)
      this.read = {
        fromMs, toMs, level, cameras: new Set(asked), at: performance.now(),
        crowds: new Map(answer.items.map((item) => [item.camera, item.spans.map(([a, b, l, n]): Crowd => [a / 1_000, end(b), l, n])])),
        blind: new Map(answer.items.map((item) => [item.camera, item.blind.map(([a, b, how, id]): Blind => [a / 1_000, end(b), how, id])])),
      }
      this.version += 1
      this.notBefore = performance.now() + 300
    } catch {
      this.notBefore = performance.now() + 5_000
    } finally {
      this.asking = false
    }
  }

  /** Told of each change from now on; the answer ends that. While nobody listens there is no connection. */
  watch(listener: (change: Change) => void = () => undefined): () => void {
    this.told.add(listener)
    this.later(SETTLED_MS)
    return () => {
      this.told.delete(listener)
      // Not at once: whoever goes from page to page keeps the connection.
      this.later(IDLE_MS)
    }
  }

  private later(ms: number): void {
    window.clearTimeout(this.timer)
    this.timer = window.setTimeout(() => this.connect(), ms)
  }

  private connect(): void {
    if (!this.told.size) {
      // One that is still being opened is let be, until it is.
      if (this.socket?.readyState === WebSocket.CONNECTING) this.later(IDLE_MS)
      else this.socket?.close()
      return
    }
    if (this.socket) return
    if (!session.loaded || session.silent) {
      this.later(SETTLED_MS)
      return
    }
    const socket = new WebSocket(`${location.origin.replace('http', 'ws')}/api/v1/events/live`)
    this.socket = socket
    socket.onopen = () => {
      if (this.failures) this.tell({ phase: 'missed' })
      this.failures = 0
    }
    socket.onmessage = (message) => this.tell(JSON.parse(String(message.data)) as Change)
    socket.onclose = () => {
      this.socket = null
      if (!this.told.size) return
      const wait = AGAIN_MS[Math.min(this.failures, AGAIN_MS.length - 1)] as number
      this.failures += 1
      this.later(wait)
    }
  }

  private tell(change: Change): void {
    this.dirty = true
    for (const listener of this.told) listener(change)
  }
}

export const seen = new Seen()
