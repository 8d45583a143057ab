/**
 * The view that all timelines share, and the exact items of single cameras around what is played: those are renewed at
 * their growing end, and read again now and then, since a cause may be refined after the fact. What is drawn comes from
 * `wide.svelte.ts`.
 */

import { api } from '../api/client'
import { itemOf, splice, type Item } from '../timeline/spans'
import { clampView, panned, zoomed, type View } from '../timeline/view'
import { session } from './session.svelte'

export interface Known {
  items: Item[]
  fromMs: number
  toMs: number
  accountedMs: number
}

const TAIL_MS = 2_500
const RENEW_MS = 45_000
const AHEAD_SHARE = 0.06

class Timelines {
  view = $state.raw<View>({ fromMs: Date.now() - 3_600_000, toMs: Date.now() + 60_000 })
  /** The view keeps up with now. */
  following = $state(true)
  /** Where a player is, and on which camera. */
  playhead = $state.raw<{ camera: string; ms: number } | null>(null)
  /** What is to be exported or protected: its beginning and its end. */
  marked = $state.raw<{ inMs: number | null; outMs: number | null }>({ inMs: null, outMs: null })

  /** Rises when something came that was not here before: lists of parts are read again. */
  arrivals = 0

  private readonly known = new Map<string, Known>()
  private readonly busy = new Map<string, Promise<void>>()
  private followed: number | null = null
  private begun = false
  private readonly renewed = new Map<string, number>()
  private target: View | null = null
  private animating = 0

  of(camera: string): Known | undefined {
    return this.known.get(camera)
  }

  /** What is known of that camera is old: it is asked for anew. */
  forget(camera: string): void {
    this.renewed.delete(camera)
    this.arrivals += 1
  }

  show(spanMs: number): void {
    const now = session.nowMs()
    const playhead = this.playhead
    if (playhead && !this.following) this.glide({ fromMs: playhead.ms - spanMs / 2, toMs: playhead.ms + spanMs / 2 })
    else {
      this.following = true
      this.glide({ fromMs: now - spanMs * (1 - AHEAD_SHARE), toMs: now + spanMs * AHEAD_SHARE })
    }
  }

  toNow(): void {
    const span = this.view.toMs - this.view.fromMs
    const now = session.nowMs()
    this.following = true
    this.glide({ fromMs: now - span * (1 - AHEAD_SHARE), toMs: now + span * AHEAD_SHARE })
  }

  zoom(factor: number, aroundMs?: number): void {
    const base = this.target ?? this.view
    const now = session.nowMs()
    const middle = this.following && aroundMs === undefined ? now : (aroundMs ?? this.playhead?.ms ?? (base.fromMs + base.toMs) / 2)
    this.glide(zoomed(base, factor, middle))
    this.settleFollowing()
  }

  pan(byMs: number, smooth = false): void {
    const moved = clampView(panned((smooth ? this.target : null) ?? this.view, byMs), session.nowMs())
    if (smooth) this.glide(moved)
    else {
      this.target = null
      this.view = moved
    }
    this.settleFollowing()
  }

  /** Brings a moment into the view. */
  reveal(ms: number): void {
    if (this.shows(ms)) return
    const { fromMs, toMs } = this.target ?? this.view
    const span = toMs - fromMs
    this.following = false
    this.glide({ fromMs: ms - span * 0.5, toMs: ms + span * 0.5 })
  }

  /** Goes along with a playhead that leaves the view by playing; never while somebody looks elsewhere. */
  follow(ms: number): void {
    const before = this.followed
    this.followed = ms
    if (before === null || this.shows(before)) this.reveal(ms)
  }

  private shows(ms: number): boolean {
    const { fromMs, toMs } = this.target ?? this.view
    return ms >= fromMs && ms <= toMs - (toMs - fromMs) * 0.02
  }

  /** What is shown first: an hour, or less on a post that was set up just now. */
  begin(sinceMs: number): void {
    if (this.begun) return
    this.begun = true
    if (session.nowMs() - sinceMs < 12 * 60_000) this.show(15 * 60_000)
  }

  /** Marks an end of a stretch; one that lies on the wrong side of the other takes its place. */
  mark(which: 'in' | 'out', ms: number): void {
    const { inMs, outMs } = this.marked
    if (which === 'in') this.marked = { inMs: ms, outMs: outMs !== null && outMs > ms ? outMs : null }
    else this.marked = { inMs: inMs !== null && inMs < ms ? inMs : null, outMs: ms }
  }

  unmark(): void {
    this.marked = { inMs: null, outMs: null }
  }

  private settleFollowing(): void {
    const { fromMs, toMs } = this.target ?? this.view
    const now = session.nowMs()
    this.following = now > fromMs + (toMs - fromMs) * 0.8 && now <= toMs
  }

  /** Moves the view there within a few frames; at once for those who asked for less motion. */
  private glide(to: View): void {
    const wanted = clampView(to, session.nowMs())
    if (matchMedia('(prefers-reduced-motion: reduce)').matches) {
      this.view = wanted
      return
    }
    this.target = wanted
    if (this.animating) return
    let last = performance.now()
    const step = (at: number): void => {
      const target = this.target
      if (!target) {
        this.animating = 0
        return
      }
      const share = 1 - Math.exp(-Math.min(64, Math.max(1, at - last)) / 55)
      last = at
      const fromMs = this.view.fromMs + (target.fromMs - this.view.fromMs) * share
      const toMs = this.view.toMs + (target.toMs - this.view.toMs) * share
      const near = Math.abs(target.fromMs - fromMs) + Math.abs(target.toMs - toMs) < (target.toMs - target.fromMs) / 2_000
      this.view = near ? target : { fromMs, toMs }
      if (near) this.target = null
      this.animating = near ? 0 : requestAnimationFrame(step)
    }
    this.animating = requestAnimationFrame(step)
  }

  /**
   * Called as time goes by: moves a following view along, up to the last tick of the clock. Not to this very moment: who watches the view and
   * calls this would be called again by each millisecond that it took, and on a slow machine for ever.
   */
  tick(): void {
    if (!this.following || this.target) return
    const span = this.view.toMs - this.view.fromMs
    const to = session.now + span * AHEAD_SHARE
    if (to > this.view.toMs + 0.5) this.view = { fromMs: to - span, toMs: to }
  }

  /** Makes sure the interval is known for the camera, its growing end included. */
  async ensure(camera: string, fromMs: number, toMs: number): Promise<void> {
    // One question at a time for each camera; who asks while one is under way needs its answer too.
    while (this.busy.has(camera)) await this.busy.get(camera)
    if (toMs <= fromMs) return
    const now = session.nowMs()
    const known = this.known.get(camera)
    const apart = !known || fromMs > known.toMs || toMs < known.fromMs
    const stale = now - (this.renewed.get(camera) ?? 0) > RENEW_MS
    let want: [number, number] | null = null
    if (apart || stale) want = [fromMs, toMs]
    else if (fromMs < known.fromMs) want = [fromMs, known.fromMs]
    else if (toMs > known.toMs + TAIL_MS) want = [this.tailFrom(known), toMs]
    if (!want) return
    const asked = this.ask(camera, want, apart)
    this.busy.set(camera, asked)
    await asked
    if (apart || stale) this.renewed.set(camera, now)
  }

  private async ask(camera: string, [fromMs, toMs]: [number, number], replace: boolean): Promise<void> {
    try {
      await this.fetch(camera, fromMs, toMs, replace)
    } catch {
      // Asked again when it is needed again; what the post does not say, the timeline's own reading tells of.
    } finally {
      this.busy.delete(camera)
    }
  }

  /** An open gap may get a better cause: it is read again from its beginning, within reason. */
  private tailFrom(known: Known): number {
    const settled = Math.min(known.accountedMs, known.toMs)
    const last = known.items.findLast((item) => item.state !== 'pending')
    const reopen = last?.state === 'gap' ? Math.max(last.fromMs - 1_000, settled - 3_600_000) : settled - 1_000
    return Math.max(known.fromMs, Math.min(reopen, settled))
  }

  private async fetch(camera: string, fromMs: number, toMs: number, replace: boolean): Promise<void> {
    const from = Math.floor(fromMs)
    const to = Math.ceil(toMs)
    const answer = await api.timeline(camera, from, to)
    const fresh = answer.items.map(itemOf)
    const accounted = answer.accounted_until ? Date.parse(answer.accounted_until) : to
    const known = replace ? undefined : this.known.get(camera)
    this.known.set(camera, {
      items: splice(known?.items ?? [], fresh, from, to),
      fromMs: Math.min(known?.fromMs ?? from, from),
      toMs: Math.max(known?.toMs ?? to, to),
      accountedMs: Math.max(known?.accountedMs ?? 0, Math.min(accounted, to)),
    })
  }
}

export const timelines = new Timelines()
