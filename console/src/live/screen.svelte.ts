/** A wall screen: the wall and nothing else, on a display that does not go to sleep, without a pointer on it. */

const IDLE_MS = 3_000

export class WallScreen {
  on = $state(false)
  /** Nobody has moved the pointer for a while. */
  idle = $state(false)
  private full = false
  private lock: WakeLockSentinel | null = null
  private timer: number | undefined
  private abort: AbortController | null = null

  /** ask: also for the browser's full screen, which it gives only to a person who asks. */
  enter(element: HTMLElement, ask: boolean): void {
    if (this.on) return
    this.on = true
    this.abort = new AbortController()
    const listen = { signal: this.abort.signal }
    for (const kind of ['pointermove', 'pointerdown', 'keydown'] as const) window.addEventListener(kind, () => this.moved(), listen)
    window.addEventListener('keydown', (event) => this.key(event), { ...listen, capture: true })
    document.addEventListener('visibilitychange', () => void this.wake(), listen)
    this.moved()
    void this.wake()
    if (ask) void element.requestFullscreen().then(() => (this.full = true), () => undefined)
  }

  leave(): void {
    if (!this.on) return
    this.on = false
    this.idle = false
    this.full = false
    window.clearTimeout(this.timer)
    this.abort?.abort()
    void this.lock?.release().catch(() => undefined)
    this.lock = null
    if (document.fullscreenElement) void document.exitFullscreen().catch(() => undefined)
  }

  /** The browser's own way out of the full screen is the way out of this. */
  changed(): void {
    if (this.full && !document.fullscreenElement) this.leave()
  }

  private key(event: KeyboardEvent): void {
    if (event.key !== 'Escape') return
    event.preventDefault()
    event.stopPropagation()
    this.leave()
  }

  private moved(): void {
    this.idle = false
    window.clearTimeout(this.timer)
    this.timer = window.setTimeout(() => (this.idle = true), IDLE_MS)
  }

  /** The display stays on while this page is seen. A browser that has no such lock leaves it to the system's settings. */
  private async wake(): Promise<void> {
    if (document.hidden || !this.on || !('wakeLock' in navigator)) return
    try {
      this.lock = await navigator.wakeLock.request('screen')
    } catch {
      // Refused, as on a battery that runs low: the display may go dark, and the wall goes on.
    }
  }
}
