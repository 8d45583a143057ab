/**
 * How much later the pictures of one player come to the screen than its own time says. Browsers fit pictures to the screen's
 * refresh, each player in a way of its own: two at the same `currentTime` differ by up to a frame in what is seen. Learnt from the
 * pictures themselves, slowly, since one picture is off by up to a refresh either way. Times come in; none are read. No I/O.
 */

const SLOWEST = 0.06
/** A picture further off than this tells of a page that was busy, and not of the player. */
const MOST_MS = 90
const LEAST = 6

export class Lateness {
  private value = 0
  private count = 0

  /** Milliseconds; 0 until there were enough pictures. */
  get ms(): number {
    return this.count < LEAST ? 0 : this.value
  }

  /** After a seek it may be another. */
  again(): void {
    this.count = 0
  }

  /** A picture is shown: the player's own time at that moment, and the picture's. */
  heard(ownMs: number, pictureMs: number): void {
    const late = ownMs - pictureMs
    if (!(Math.abs(late) < MOST_MS)) return
    this.count += 1
    this.value += (late - this.value) * Math.max(SLOWEST, 1 / this.count)
  }
}
