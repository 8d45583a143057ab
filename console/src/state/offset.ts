/**
 * How far the post's clock is ahead of this computer's, from answers that say when they were made (as NTP does it): of the
 * last few the quickest is believed, since it leaves the least room for error.
 */

const KEPT = 12

export class ClockOffset {
  private seen: { offsetMs: number; tookMs: number }[] = []

  /** One answer: sent and got by this computer's clock, made by the post's. Gives the offset to go by. */
  heard(sentMs: number, gotMs: number, madeMs: number): number {
    const tookMs = Math.max(0, gotMs - sentMs)
    const offsetMs = madeMs - (sentMs + gotMs) / 2
    const last = this.seen.at(-1)
    // A clock was set, here or there: what was learnt before says nothing any more.
    if (last && Math.abs(offsetMs - last.offsetMs) > 500 + (tookMs + last.tookMs) / 2) this.seen = []
    this.seen = [...this.seen.slice(1 - KEPT), { offsetMs, tookMs }]
    return this.seen.reduce((best, one) => (one.tookMs < best.tookMs ? one : best)).offsetMs
  }
}
