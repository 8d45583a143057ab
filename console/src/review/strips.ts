/**
 * Strip pictures for scrubbing: small ones, made by the post as footage arrives. Read coarse to fine around what is
 * looked at, so that some picture is at hand at once and the right one soon after (docs/design/review.md).
 *
 * Owner of the state: this object. Kept: at most MOST_BYTES of JPEG, and DECODED pictures.
 */

import { stripsAt, stripsOver, type StripAnswer } from '../api/review'

const MOST_BYTES = 64 << 20
/** Some 58 kB each: a day of nine cameras, coarse and fine. */
const DECODED = 1_200
const HOUR_S = 3_600
const STEPS_S = [10, 20, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 14_400, 43_200, 86_400]
/** Pictures of one camera over the view: enough that a pause between two looks like neither is missing. */
const OVER_VIEW = 96
const IN_ONE_ANSWER = 900
/** The post refuses a question that may be answered with more than 3,000 pictures. */
const MOST_IN_ONE_ANSWER = 2_900

interface Picture {
  atMs: number
  jpeg: Blob
}

/** Pictures of one camera in order of time. */
class Reel {
  readonly pictures: Picture[] = []

  add(picture: Picture): boolean {
    const n = this.index(picture.atMs)
    if (this.pictures[n - 1]?.atMs === picture.atMs) return false
    this.pictures.splice(n, 0, picture)
    return true
  }

  /** The newest not after the moment, and the few before it, newest first. */
  upTo(ms: number): Picture[] {
    const end = this.index(ms)
    return this.pictures.slice(Math.max(0, end - 4), end).reverse()
  }

  private index(ms: number): number {
    let low = 0
    let high = this.pictures.length
    while (low < high) {
      const middle = (low + high) >> 1
      if ((this.pictures[middle] as Picture).atMs > ms) high = middle
      else low = middle + 1
    }
    return low
  }
}

export interface Shown {
  atMs: number
  bitmap: ImageBitmap
}

/**
 * Which questions read a stretch at a step: whole hours for fine steps, whole days for coarse ones, so that the browser keeps them; halves and
 * quarters of those where so many cameras are asked about that the post would refuse.
 */
export function questions(cameras: number, fromMs: number, toMs: number, stepS: number): [number, number][] {
  let grain = (stepS >= 300 ? 24 : 1) * HOUR_S * 1_000
  while (grain > stepS * 1_000 && cameras * (grain / 1_000 / stepS + 1) > MOST_IN_ONE_ANSWER) grain /= 2
  const each = Math.max(1, Math.floor(IN_ONE_ANSWER / Math.max(1, cameras) / ((grain / 1_000) / stepS))) * grain
  const asked: [number, number][] = []
  const end = Math.ceil(toMs / grain) * grain
  for (let at = Math.floor(fromMs / grain) * grain; at < end && asked.length < 64; at += each) asked.push([at, Math.min(end, at + each)])
  return asked
}

export function stepFor(spanMs: number): number {
  const wanted = spanMs / 1_000 / OVER_VIEW
  return STEPS_S.find((step) => step >= wanted) ?? 86_400
}

export class Strips {
  private reels = new Map<string, Reel>()
  private bytes = 0
  private readonly decoded = new Map<string, ImageBitmap>()
  private readonly decoding = new Set<string>()
  private readonly asked = new Set<string>()
  private turn = 0
  private off = false
  /** The coarsest step that has been read around the view, in milliseconds: no picture is older than this for its moment. */
  private reachMs = 30_000

  constructor(private readonly changed: () => void) {}

  /** No strips here: the post makes none, or the caller may not see them. */
  get none(): boolean {
    return this.off
  }

  /** Reads what scrubbing over the stretch needs, the coarse first. */
  async prefetch(cameras: readonly string[], fromMs: number, toMs: number): Promise<void> {
    const turn = ++this.turn
    const fine = stepFor(toMs - fromMs)
    const coarse = STEPS_S.find((step) => step >= fine * 4) ?? 86_400
    this.reachMs = Math.max(30_000, coarse * 1_500)
    for (const step of [coarse, fine]) {
      const all = questions(cameras.length, fromMs, toMs, step)
      const middle = (fromMs + toMs) / 2
      all.sort((a, b) => Math.abs(a[0] + a[1] - 2 * middle) - Math.abs(b[0] + b[1] - 2 * middle))
      for (const [from, to] of all) {
        if (turn !== this.turn || this.off) return
        const key = `${cameras.join()} ${from} ${to} ${step}`
        if (this.asked.has(key)) continue
        this.asked.add(key)
        await this.read(() => stripsOver(cameras, from, to, step))
        // What is young may yet grow.
        if (to > Date.now() - 60_000) window.setTimeout(() => this.asked.delete(key), 15_000)
      }
    }
  }

  /** The exact pictures of one moment, when somebody pauses there. */
  async exact(cameras: readonly string[], ms: number): Promise<void> {
    if (!this.off && cameras.length) await this.read(() => stripsAt(cameras, ms))
  }

  /** The best at hand for a moment, at once; the right one is decoded meanwhile, and `changed` says when it is there. */
  shown(camera: string, ms: number): Shown | null {
    for (const picture of this.reels.get(camera)?.upTo(ms) ?? []) {
      if (ms - picture.atMs > this.reachMs) return null
      const key = `${camera}/${picture.atMs}`
      const bitmap = this.decoded.get(key)
      if (bitmap) {
        this.decoded.delete(key)
        this.decoded.set(key, bitmap)
        return { atMs: picture.atMs, bitmap }
      }
      void this.decode(key, picture.jpeg)
    }
    return null
  }

  private async decode(key: string, jpeg: Blob): Promise<void> {
    if (this.decoding.has(key)) return
    this.decoding.add(key)
    try {
      const bitmap = await createImageBitmap(jpeg)
      this.decoded.get(key)?.close()
      this.decoded.set(key, bitmap)
      if (this.decoded.size > DECODED) {
        const oldest = this.decoded.keys().next().value as string
        this.decoded.get(oldest)?.close()
        this.decoded.delete(oldest)
      }
      this.changed()
    } catch {
      // A picture that cannot be decoded is not shown.
    } finally {
      this.decoding.delete(key)
    }
  }

  private async read(ask: () => Promise<StripAnswer>): Promise<void> {
    try {
      this.take(await ask())
    } catch (error) {
      const status = (error as { status?: number }).status
      if (status === 404 || status === 403) this.off = true
    }
  }

  private take(answer: StripAnswer): void {
    for (const item of answer.head.items) {
      let reel = this.reels.get(item.camera)
      if (!reel) this.reels.set(item.camera, (reel = new Reel()))
      for (const picture of item.pictures) {
        if (!picture) continue
        const [atUs, offset, size] = picture
        const jpeg = new Blob([new Uint8Array(answer.bytes, answer.base + offset, size)], { type: 'image/jpeg' })
        if (!reel.add({ atMs: atUs / 1_000, jpeg })) continue
        this.bytes += size
        // Ahead of the finger: nothing is left to do when it comes.
        if (this.decoded.size + this.decoding.size < DECODED) void this.decode(`${item.camera}/${atUs / 1_000}`, jpeg)
      }
    }
    if (this.bytes > MOST_BYTES) {
      this.reels = new Map()
      this.asked.clear()
      this.bytes = 0
    }
    this.changed()
  }
}

let pending = 0
const watching = new Set<() => void>()

/** One for the page: the timeline's pointer and the review share what was read. */
export const strips = new Strips(() => {
  pending ||= requestAnimationFrame(() => {
    pending = 0
    for (const each of watching) each()
  })
})

/** Told, once a frame of the page, that pictures came. */
export function watchStrips(told: () => void): () => void {
  watching.add(told)
  return () => watching.delete(told)
}
