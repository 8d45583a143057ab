/**
 * The way from the post to this page: what it carries, and whether that is enough for video. One instance for the page.
 *
 * A link is thin when what arrives is late although it keeps coming (LivePicture tells), or when it brings fewer bits a
 * second than the pictures on the page need. Then the page shows stills, says so, and looks again later.
 */

export type LinkChoice = 'auto' | 'video' | 'pictures'

const KEY = 'longwatch-link'
const LATE_MS = 3_000
/** So long must it be late without a break. */
const LATE_FOR_MS = 3_500
const WINDOW_MS = 3_000
const LEAST_MEASURED_BYTES = 12_000
const MEASURES = 5
const GUESSED_BITRATE = 600_000
const SPARE = 1.3
const AGAIN_MS = 60_000
const AGAIN_MOST_MS = 900_000

interface SlowConnection {
  saveData?: boolean
  effectiveType?: string
}

function kept(): LinkChoice {
  try {
    const value = localStorage.getItem(KEY)
    return value === 'video' || value === 'pictures' ? value : 'auto'
  } catch {
    return 'auto'
  }
}

class Link {
  choice = $state<LinkChoice>(kept())
  /** Measured to be thin; only `auto` heeds it. */
  thin = $state(false)
  /** Bits a second that came in over the last three seconds. */
  bitsASecond = $state(0)
  /** What the link carried at its best lately, in bytes a second; null before anything was measured. */
  bytesASecond: number | null = null
  private carried: number[] = []

  private arrived: [number, number][] = []
  private readonly wanted = new Map<string, number>()
  private readonly lateSince = new Map<string, number>()
  private thinAt = 0
  private againMs = AGAIN_MS

  constructor() {
    const connection = (navigator as { connection?: SlowConnection }).connection
    if (connection?.saveData || /2g$/.test(connection?.effectiveType ?? '')) this.found()
    window.setInterval(() => this.tick(), 1_000)
  }

  get pictures(): boolean {
    return this.choice === 'pictures' || (this.choice === 'auto' && this.thin)
  }

  choose(choice: LinkChoice): void {
    this.choice = choice
    if (choice === 'auto') this.thin = false
    this.lateSince.clear()
    try {
      if (choice === 'auto') localStorage.removeItem(KEY)
      else localStorage.setItem(KEY, choice)
    } catch {
      // A browser that keeps nothing: the choice lasts as long as the page.
    }
  }

  /** That many bytes have come in. */
  took(bytes: number): void {
    this.arrived.push([performance.now(), bytes])
  }

  /**
   * A whole answer came in so many milliseconds after its first byte. The best of a few counts: an answer that took long
   * may have waited for a busy browser or a busy post, or for others beside it; none comes faster than the link carries.
   */
  measured(bytes: number, ms: number): void {
    if (bytes < LEAST_MEASURED_BYTES) return
    this.carried = [...this.carried.slice(1 - MEASURES), (bytes * 1_000) / Math.max(ms, 1)]
    this.bytesASecond = Math.max(...this.carried)
  }

  /** A picture on the page would like that much. bitrate: of its stream, null where the post does not know it. */
  want(picture: string, bitrate: number | null | undefined): void {
    this.wanted.set(picture, bitrate ?? GUESSED_BITRATE)
    if (this.bytesASecond === null) this.learnFromPage()
    if (!this.thin && this.tooLittle(1)) this.found()
  }

  unwant(picture: string): void {
    this.wanted.delete(picture)
    this.lateSince.delete(picture)
  }

  /** How old the newest of a picture's samples is that has arrived; told about once a second while they come. */
  arrives(picture: string, ageMs: number): void {
    const now = performance.now()
    if (ageMs < LATE_MS) this.lateSince.delete(picture)
    else if (!this.lateSince.has(picture)) this.lateSince.set(picture, now)
    else if (now - (this.lateSince.get(picture) ?? now) > LATE_FOR_MS) this.found()
  }

  private found(): void {
    this.againMs = this.thinAt === 0 ? AGAIN_MS : Math.min(AGAIN_MOST_MS, this.againMs * 2)
    this.thinAt = performance.now()
    this.thin = true
    this.lateSince.clear()
  }

  private tooLittle(spare: number): boolean {
    if (this.bytesASecond === null) return false
    const needed = [...this.wanted.values()].reduce((sum, bitrate) => sum + bitrate, 0)
    return this.bytesASecond * 8 < needed * spare
  }

  /** The page's own parts came over the same link, unless they were in the browser already. */
  private learnFromPage(): void {
    const parts = (performance.getEntriesByType('resource') as PerformanceResourceTiming[])
      .filter((part) => part.transferSize >= LEAST_MEASURED_BYTES && part.responseStart > 0)
      .map((part) => ({ bytes: part.transferSize, ms: Math.max(part.responseEnd - part.responseStart, 1) }))
    const best = parts.toSorted((a, b) => b.bytes / b.ms - a.bytes / a.ms)[0]
    if (best) this.measured(best.bytes, best.ms)
  }

  private tick(): void {
    const since = performance.now() - WINDOW_MS
    this.arrived = this.arrived.filter(([at]) => at > since)
    const bits = (this.arrived.reduce((sum, [, bytes]) => sum + bytes, 0) * 8_000) / WINDOW_MS
    if (Math.round(bits / 1_000) !== Math.round(this.bitsASecond / 1_000)) this.bitsASecond = bits
    const settled = performance.now() - this.thinAt > this.againMs
    if (this.thin && this.choice === 'auto' && settled && !this.tooLittle(SPARE)) this.thin = false
  }
}

export const link = new Link()
