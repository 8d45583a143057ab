/**
 * Pictures for thin links: the newest stored still of each camera, one request at a time for the whole page, as large and
 * as often as the link allows by measure. What has not changed is not sent again (ETag).
 */

import { newestStillUrl } from '../api/live'
import { t } from '../i18n'
import { link } from './link.svelte'
import { mean, stillWidth } from './pace'

export interface StillState {
  url: string
  /** When it was taken, by the post's clock (ms). */
  takenMs: number
  /** When the post last said that there is none newer (performance.now). */
  askedAt: number
  width: number
}

export interface StillAsked {
  camera: string
  stream: string | undefined
  /** Device pixels that the picture has on the screen now. */
  pixels: () => number
  got: (still: StillState) => void
  failed: (why: string) => void
}

interface Place extends StillAsked {
  dueAt: number
  etag: string
  shown: StillState | null
}

const LEAST_APART_MS = 1_000
const FAILED_APART_MS = 4_000
const TIMEOUT_MS = 25_000
/** The link rests between two stills for this part of the time that the last one took: something else may want it. */
const REST = 0.4
const GUESSED_BYTES_A_PIXEL = 0.16
const GUESSED_BYTES_A_SECOND = 24_000

class Stills {
  private readonly places = new Set<Place>()
  private timer: number | undefined
  private busy = false
  private bytesAPixel: number | null = null

  /** Keep a picture fresh until the returned function is called. */
  watch(asked: StillAsked): () => void {
    const place: Place = { ...asked, dueAt: 0, etag: '', shown: null }
    this.places.add(place)
    this.arrange(0)
    return () => {
      this.places.delete(place)
      if (place.shown) URL.revokeObjectURL(place.shown.url)
    }
  }

  private arrange(restMs: number): void {
    if (this.busy) return
    window.clearTimeout(this.timer)
    const next = [...this.places].reduce<Place | null>((soon, one) => (!soon || one.dueAt < soon.dueAt ? one : soon), null)
    if (!next) return
    const waitMs = Math.max(restMs, next.dueAt - performance.now(), 0)
    this.timer = window.setTimeout(() => void this.take(next), waitMs)
  }

  private async take(place: Place): Promise<void> {
    if (!this.places.has(place)) {
      this.arrange(0)
      return
    }
    this.busy = true
    const began = performance.now()
    try {
      await this.fetch(place)
      place.dueAt = performance.now() + LEAST_APART_MS
    } catch (error) {
      place.failed(error instanceof Error ? error.message : String(error))
      place.dueAt = performance.now() + FAILED_APART_MS
    } finally {
      this.busy = false
    }
    this.arrange((performance.now() - began) * REST)
  }

  private async fetch(place: Place): Promise<void> {
    const width = stillWidth(place.pixels(), link.bytesASecond ?? GUESSED_BYTES_A_SECOND, this.bytesAPixel ?? GUESSED_BYTES_A_PIXEL)
    const answer = await fetch(newestStillUrl(place.camera, place.stream, width), {
      credentials: 'same-origin',
      cache: 'no-store',
      headers: place.etag ? { 'If-None-Match': place.etag } : {},
      signal: AbortSignal.timeout(TIMEOUT_MS),
    })
    if (!this.places.has(place)) return
    const askedAt = performance.now()
    if (answer.status === 304 && place.shown) {
      link.took(200)
      place.shown = { ...place.shown, askedAt }
      place.got(place.shown)
      return
    }
    if (!answer.ok) throw new Error(await reason(answer))
    const body = await answer.blob()
    this.learn(body.size, width, performance.now() - askedAt)
    if (!this.places.has(place)) return
    const before = place.shown
    place.etag = answer.headers.get('ETag') ?? ''
    place.shown = {
      url: URL.createObjectURL(body), takenMs: Date.parse(answer.headers.get('X-Longwatch-Start') ?? ''), askedAt, width,
    }
    place.got(place.shown)
    if (before) URL.revokeObjectURL(before.url)
  }

  private learn(bytes: number, width: number, ms: number): void {
    link.took(bytes)
    link.measured(bytes, ms)
    this.bytesAPixel = mean(this.bytesAPixel, bytes / ((width * width * 9) / 16))
  }
}

async function reason(answer: Response): Promise<string> {
  try {
    const said = (await answer.json()) as { what?: string; why?: string }
    const text = [said.what, said.why].filter(Boolean).join(': ')
    if (text) return `${text.charAt(0).toUpperCase()}${text.slice(1)}.`
  } catch {
    // An answer without JSON: its status has to do.
  }
  return t('live.noStill', { status: answer.status })
}

export const stills = new Stills()
