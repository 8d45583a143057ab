/** The posts of this hub and what was asked of them, read again and again while something shows them. One for the page. */

import { posts as calls, type Asked, type PostItem } from '../api/posts'
import { merged, postOf } from '../network/order'
import { session } from './session.svelte'
import { timelines } from './timelines.svelte'
import { wideTimes } from './wide.svelte'

/** What changed is read so often, however many there are; all of them now and then: codes that were made, and what ended by itself. */
const READ_MS = 3_000
const WHOLE_MS = 60_000
const ENDED = new Set<Asked['state']>(['done', 'gone', 'refused', 'withdrawn'])

class Posts {
  all = $state.raw<readonly PostItem[]>([])
  loaded = $state(false)
  problem = $state.raw<unknown>(null)
  requests = $state.raw<readonly Asked[]>([])

  private watchers = 0
  private timer: number | undefined
  private cursor = ''
  private wholeAt = 0
  private known = new Map<Asked['id'], string>()

  of(id: string | null): PostItem | undefined {
    return id === null ? undefined : this.all.find((post) => post.id === id)
  }

  ofCamera(camera: string): PostItem | undefined {
    return this.of(postOf(camera))
  }

  /** What its post said last is old: whether the camera records now is not known here. */
  unheard(camera: string): boolean {
    const post = this.ofCamera(camera)
    return session.silent || (post !== undefined && post.state !== 'connected')
  }

  /** Requests of a camera that are still under way. */
  open(camera: string): readonly Asked[] {
    return this.requests.filter((each) => each.camera === camera && !ENDED.has(each.state))
  }

  /** Keep reading until the returned function is called. */
  watch(): () => void {
    this.watchers += 1
    if (this.watchers === 1) void this.turn()
    return () => {
      this.watchers -= 1
      if (this.watchers === 0) window.clearTimeout(this.timer)
    }
  }

  async read(): Promise<void> {
    try {
      const now = performance.now()
      const answer = await calls.changed(now - this.wholeAt < WHOLE_MS ? this.cursor : '')
      if (answer.whole) this.wholeAt = now
      this.cursor = answer.cursor
      this.all = answer.whole ? answer.items : merged(this.all, answer.items, new Date(session.nowMs()).toISOString())
      this.loaded = true
      if (session.mayOperate) this.take(await calls.requests())
      this.problem = null
    } catch (error) {
      this.problem = error
    }
  }

  /** Somebody asked just now: show it before the next reading. */
  add(asked: Asked): void {
    this.take([asked, ...this.requests.filter((each) => each.id !== asked.id)])
  }

  private take(requests: readonly Asked[]): void {
    // What came in meanwhile changes what the timelines show: they are read again.
    for (const each of requests) {
      const now = `${each.state} ${each.done_bytes ?? 0}`
      const before = this.known.get(each.id)
      this.known.set(each.id, now)
      if (before === undefined || before === now) continue
      timelines.forget(each.camera)
      wideTimes.forget(each.camera)
    }
    this.requests = requests
  }

  private async turn(): Promise<void> {
    window.clearTimeout(this.timer)
    if (!document.hidden && session.phase === 'in' && session.hub) await this.read()
    if (this.watchers > 0) this.timer = window.setTimeout(() => void this.turn(), READ_MS)
  }
}

export const posts = new Posts()
