/** Who looks, at which post, and what the post says of its cameras now. One instance for the page. */

import { api, Problem } from '../api/client'
import type { Camera, Me, Post } from '../api/types'
import { usableZone } from '../time'

export type Phase = 'loading' | 'setup' | 'signin' | 'in' | 'unreachable'

const POLL_MS = 1_500

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
  cameras = $state<Camera[]>([])
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
  private timer: number | undefined

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

  get mayOperate(): boolean {
    return this.me !== null && this.me.role !== 'viewer'
  }

  camera(id: string): Camera | undefined {
    return this.cameras.find((camera) => camera.id === id)
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
    this.phase = 'in'
    this.problem = null
    void this.introduce()
    this.poll()
  }

  /** Asks at once whether the login still holds. */
  check(): void {
    if (this.phase === 'in') this.poll()
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
    } catch (error) {
      this.failed(error)
    }
  }

  private signedOut(): void {
    visitor.left()
    window.clearTimeout(this.timer)
    this.me = null
    this.cameras = []
    this.loaded = false
    this.phase = 'signin'
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
      if (this.phase === 'in') this.timer = window.setTimeout(() => this.poll(), POLL_MS)
    })
  }

  private async refresh(): Promise<void> {
    const sentAt = Date.now()
    try {
      const { items, serverMs } = await api.cameras()
      if (serverMs !== null) {
        // The header has whole seconds: half a second and half the way there are the best guess.
        const offset = serverMs + 500 - (sentAt + Date.now()) / 2
        if (Math.abs(offset - this.offsetMs) > 1_500) this.offsetMs = Math.abs(offset) > 1_500 ? offset : 0
      }
      this.cameras = items
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
