/**
 * What the timeline draws: tiles of many cameras and many levels, read ahead of the view and around it, the growing end
 * again and again, the rest now and then (a cause may be refined after the fact). One instance for the page.
 */

import { holds, wide, type HeldStretch } from '../api/review'
import { causeWords } from '../causes'
import { LADDER, levelFor, STEPS, stripOf, TileCache, tileMs, tilesOver } from '../timeline/levels'
import type { View } from '../timeline/view'
import { session } from './session.svelte'

/** Of a span: what it is. Causes come after these. */
export const STATES = ['pending', 'recorded', 'gone', 'post'] as const

const TAIL_MS = 2_500
const RENEW_MS = 60_000
const AT_ONCE = 2
const CAMERAS = 128

class Wide {
  /** Rises when something came: canvases draw again. */
  version = $state(0)
  failed = $state<unknown>(null)
  held = $state.raw<readonly HeldStretch[]>([])
  accountedMs = 0
  /** Names by code, the post's words; a code of ours is the index into it. */
  readonly names: string[] = [...STATES]
  readonly cache = new TileCache()

  private readonly read = new Map<string, number>()
  private readonly asking = new Set<string>()
  private retryAt = 0
  private heldAt = -Infinity

  cause(code: number): string | null {
    return code < STATES.length ? null : (this.names[code] ?? 'unknown')
  }

  /** What is drawn of that camera is old: it stays until it has been read again. */
  forget(camera: string): void {
    for (const key of this.read.keys()) if (key.endsWith(`/${camera}`)) this.read.delete(key)
  }

  /** Asks for what the view of these cameras lacks, then for what lies around it. Called often. */
  fill(view: View, width: number, cameras: readonly string[]): void {
    const now = performance.now()
    if (!cameras.length || width < 1 || now < this.retryAt) return
    if (now - this.heldAt > 20_000) void this.readHolds(now)
    const level = levelFor((view.toMs - view.fromMs) / width)
    const span = view.toMs - view.fromMs
    this.over(level, view.fromMs, view.toMs, cameras)
    // A coarser tile under a wide stretch first, so that a long pan shows the truth at once, then the neighbours in full.
    const coarse = Math.min(LADDER.length - 1, level + 2)
    this.over(coarse, view.fromMs - 4 * span, view.toMs + 4 * span, cameras)
    this.over(level, view.fromMs - span, view.toMs + span, cameras)
  }

  private over(level: number, fromMs: number, toMs: number, cameras: readonly string[]): void {
    const [first, last] = tilesOver(level, fromMs, Math.min(toMs, session.nowMs() + 1))
    const middle = (first + last) / 2
    const order: number[] = []
    for (let tile = first; tile <= last && order.length < 64; tile++) order.push(tile)
    order.sort((a, b) => Math.abs(a - middle) - Math.abs(b - middle))
    for (const tile of order) {
      if (this.asking.size >= AT_ONCE) return
      this.ask(level, tile, cameras)
    }
  }

  private ask(level: number, tile: number, cameras: readonly string[]): void {
    const key = `${level}/${tile}`
    if (this.asking.has(key)) return
    const stale = performance.now() - this.freshFor(level, tile)
    const lacking = cameras.filter((id) => (this.read.get(`${key}/${id}`) ?? -Infinity) < stale).slice(0, CAMERAS)
    if (!lacking.length) return
    this.asking.add(key)
    void this.fetch(level, tile, lacking).finally(() => this.asking.delete(key))
  }

  private freshFor(level: number, tile: number): number {
    const step = LADDER[level] as number
    if ((tile + 1) * tileMs(level) >= this.accountedMs - 1) return Math.max(TAIL_MS, Math.min(RENEW_MS, step / 4))
    return RENEW_MS
  }

  private async fetch(level: number, tile: number, cameras: string[]): Promise<void> {
    const length = tileMs(level)
    try {
      const answer = await wide(cameras, tile * length, (tile + 1) * length, STEPS)
      if (answer.step_us !== (LADDER[level] as number) * 1_000) throw new Error(`step ${answer.step_us}`)
      const codes = Uint8Array.from(answer.codes, (name) => this.codeOf(name))
      const at = performance.now()
      for (const item of answer.items) {
        this.cache.put(level, tile, item.camera, stripOf(item.spans, codes))
        this.read.set(`${level}/${tile}/${item.camera}`, at)
      }
      if (this.read.size > 60_000) this.read.clear()
      this.accountedMs = Math.max(this.accountedMs, answer.accounted_until_us / 1_000)
      this.failed = null
      this.version += 1
    } catch (error) {
      this.failed = error
      this.retryAt = performance.now() + 2_000
    }
  }

  private codeOf(name: string): number {
    const known = this.names.indexOf(name)
    if (known >= 0) return known
    this.names.push(name)
    return this.names.length - 1
  }

  private async readHolds(now: number): Promise<void> {
    this.heldAt = now
    try {
      this.held = await holds()
      this.version += 1
    } catch {
      // Who may not see them sees the timeline without them.
      this.held = []
    }
  }
}

export const wideTimes = new Wide()

/** How grave it is, where two things share a pixel: what is absent is never hidden by what is there. */
export function weight(code: number, cause: string | null): number {
  if (cause === null) return code === 1 ? 1 : code === 3 ? 2 : code === 2 ? 3 : 0
  const tone = causeWords(cause).tone
  return tone === 'fault' ? 6 : tone === 'planned' ? 5 : 4
}
