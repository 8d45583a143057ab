/** Who looks, at which post, and what the post says of its cameras now. One instance for the page. */

import { api, Problem } from '../api/client'
import { posts } from '../api/posts'
import type { Camera, Me, Post } from '../api/types'
import { byNeed, postOf } from '../network/order'
import { usableZone } from '../time'
import { look } from './look.svelte'
import { ClockOffset } from './offset'

export type Phase = 'loading' | 'setup' | 'signin' | 'in' | 'unreachable'

const POLL_MS = 1_500
/** Until cameras are known nothing is claimed of them: a post that is busy may take so long over its first answer. */
const FIRST_MS = 20_000
/** What a hub knows of its posts' cameras changes as their entries come in. */
const HUB_POLL_MS = 3_000
/** A hub with more cameras shows those of one post at a time. */
export const MOST_AT_ONCE = 300
const SCOPE = 'longwatch-post'

const KEY = 'longwatch-signed-in'

/** Whether this browser may hold a login. Only a hint, kept in the browser: the cookie itself cannot be read. */
const visitor = {
  isNew(): boolean {
    try {
      return localStorage.getItem(KEY) === null
    } catch {
      return false
    }
  },
  entered(): void {
    try {
      localStorage.setItem(KEY, 'yes')
    } catch {
      // A browser that keeps nothing asks the post each time.
    }
  },
  left(): void {
    try {
      localStorage.removeItem(KEY)
    } catch {
      // As above.
    }
  },
}

class Session {
  phase = $state<Phase>('loading')
  me = $state<Me | null>(null)
  post = $state<Post>({ id: '', name: '', timezone: '' })
  /** Those that the pages show: all, or at a hub those of one post. */
  cameras = $state<Camera[]>([])
  /** At a hub the post whose cameras are shown; '' for all. */
  scope = $state('')
  /** Posts of a hub by id, and how many cameras they have between them. */
  postNames = $state.raw<ReadonlyMap<string, string>>(new Map())
  camerasOfAll = $state(0)
  /** False until the cameras have been read once. */
  loaded = $state(false)
  /** Since when the post has not answered (ms), null while it does. */
  silentSince = $state<number | null>(null)
  problem = $state<Problem | null>(null)
  /** The post's time, ticking; differs from this computer's clock where that is wrong. */
  now = $state(Date.now())
  /** performance.now of the same tick, for what is measured by that clock. */
  tickedAt = $state(performance.now())

  private offsetMs = 0
  private readonly postClock = new ClockOffset()
  private timer: number | undefined
  private known = new Map<string, Camera>()

  constructor() {
    window.setInterval(() => {
      this.now = this.nowMs()
      this.tickedAt = performance.now()
    }, 250)
  }

  nowMs(): number {
    return Date.now() + this.offsetMs
  }

  get zone(): string {
    return usableZone(this.post.timezone || undefined)
  }

  /** The post does not answer: what it said of its cameras is old, and whether they record now is not known here. */
  get silent(): boolean {
    return this.silentSince !== null
  }

  /** A hub, with the cameras of its posts; else a post with its own. */
  get hub(): boolean {
    return this.post.role === 'hub'
  }

  /** More cameras than one page can hold: a post has to be chosen. */
  get crowded(): boolean {
    return this.camerasOfAll > MOST_AT_ONCE
  }

  get mayOperate(): boolean {
    return this.may('operate')
  }

  /** Whether the one who looks holds that right, for some camera at least. The post checks it itself. */
  may(right: string): boolean {
    return this.me?.rights?.includes(right) ?? false
  }

  camera(id: string): Camera | undefined {
    return this.cameras.find((camera) => camera.id === id) ?? this.known.get(id)
  }

  /** Show the cameras of that post only; '' for all. */
  narrow(post: string): void {
    this.scope = post
    try {
      if (post) localStorage.setItem(SCOPE, post)
      else localStorage.removeItem(SCOPE)
    } catch {
      // A browser that keeps nothing: it lasts as long as the page.
    }
    this.poll()
  }

  async begin(): Promise<void> {
    try {
      if ((await api.setup()).needed) this.phase = 'setup'
      // A browser that has never been signed in need not be refused to find out.
      else if (visitor.isNew()) this.phase = 'signin'
      else this.enter(await api.me())
    } catch (error) {
      this.failed(error)
    }
  }

  enter(me: Me): void {
    visitor.entered()
    this.me = me
    if (me.post) this.post = me.post
    this.phase = 'in'
    this.problem = null
    void this.introduce()
    void look.follow()
    this.poll()
  }

  /** Asks at once whether the login still holds. */
  check(): void {
    if (this.phase === 'in') this.poll()
  }

  /** The settings were changed: name, zone and cameras may be others now. */
  async reread(): Promise<void> {
    await this.introduce()
    await this.refresh()
  }

  async leave(): Promise<void> {
    try {
      await api.logout()
    } finally {
      this.signedOut()
    }
  }

  private async introduce(): Promise<void> {
    try {
      this.post = await api.post()
      document.title = `${this.post.name} · Longwatch`
      if (this.hub) await this.readPosts()
    } catch (error) {
      this.failed(error)
    }
  }

  private async readPosts(): Promise<void> {
    const found = await posts.all()
    this.postNames = new Map(found.map((post) => [post.id, post.name]))
    this.camerasOfAll = found.reduce((sum, post) => sum + (post.cameras ?? 0), 0)
    let scope = this.scope
    try {
      scope ||= localStorage.getItem(SCOPE) ?? ''
    } catch {
      // As above.
    }
    if (!this.postNames.has(scope)) scope = ''
    if (!scope && this.crowded) scope = byNeed(found).find((post) => post.cameras)?.id ?? ''
    this.scope = scope
  }

  /** At a hub a camera is named with its post. */
  private named(camera: Camera): Camera {
    const post = postOf(camera.id)
    return post === null ? camera : { ...camera, own: camera.name, name: `${this.postNames.get(post) ?? post} / ${camera.name}` }
  }

  private signedOut(): void {
    const wasIn = this.phase === 'in'
    visitor.left()
    window.clearTimeout(this.timer)
    this.me = null
    this.cameras = []
    this.known = new Map()
    this.scope = ''
    this.loaded = false
    // Timelines, alarms and pictures of whoever was in lie all over the page's memory: the next one at this machine begins with none.
    this.phase = wasIn ? 'loading' : 'signin'
    if (wasIn) window.location.reload()
  }

  private failed(error: unknown): void {
    const problem = error instanceof Problem ? error : new Problem('The page met an error', String(error), 'Reload it.', 0)
    if (problem.status === 401) {
      this.signedOut()
      return
    }
    this.problem = problem
    if (this.phase === 'loading' || this.phase === 'unreachable') {
      this.phase = 'unreachable'
      window.setTimeout(() => void this.begin(), 2_000)
    }
  }

  private poll(): void {
    window.clearTimeout(this.timer)
    void this.refresh().finally(() => {
      if (this.phase === 'in') this.timer = window.setTimeout(() => this.poll(), this.hub ? HUB_POLL_MS : POLL_MS)
    })
  }

  private async refresh(): Promise<void> {
    try {
      if (this.hub && !this.loaded) await this.readPosts()
      const scope = this.scope
      const sentAt = Date.now()
      const { items, serverMs } = await api.cameras(scope || undefined, this.loaded ? undefined : FIRST_MS)
      if (scope !== this.scope) return // narrowed meanwhile: that has its own turn
      if (serverMs !== null) this.offsetMs = this.postClock.heard(sentAt, Date.now(), serverMs)
      this.cameras = items.filter((camera) => !scope || postOf(camera.id) === scope).map((camera) => this.named(camera))
      for (const camera of this.cameras) this.known.set(camera.id, camera)
      this.loaded = true
      this.silentSince = null
      this.problem = null
    } catch (error) {
      // A proxy's 502 for a post that is gone is silence too. A refused login is an answer.
      if (error instanceof Problem && (error.status === 0 || error.status >= 500)) this.silentSince ??= this.nowMs()
      this.failed(error)
    }
  }
}

export const session = new Session()
