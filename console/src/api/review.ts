/** What the timeline and review ask the post for: many cameras' time at once, the calendar, strip pictures, holds. */

import { address, json, Problem, request, stamp } from './client'

/** `GET /api/v1/timelines`: spans are [step, code] or [step, code, percent that is absent]. */
export interface WideWire {
  from_us: number
  to_us: number
  step_us: number
  accounted_until_us: number
  codes: string[]
  items: { camera: string; spans: number[][] }[]
}

export interface CalendarDay {
  day: string
  from: string
  to: string
  recorded_s: number
  gap_s: number
  worst: string | null
  cameras: number
  with_footage: number
}

/** `GET /api/v1/strips`: [at_us, offset, size]. */
export interface StripHead {
  items: { camera: string; state: string; pictures: ([number, number, number] | null)[] }[]
}

/** A stretch that retention keeps, as far as the timeline shows it. */
export interface HeldStretch {
  id: string
  cameras: string[]
  fromMs: number
  toMs: number
  reason: string
}

function many(cameras: readonly string[]): string {
  return cameras.map((id) => `&camera=${encodeURIComponent(id)}`).join('')
}

export function wide(cameras: readonly string[], fromMs: number, toMs: number, width: number): Promise<WideWire> {
  return json('GET', address('timelines', { from: stamp(fromMs), to: stamp(toMs), width }) + many(cameras))
}

export function calendar(month: string, cameras: readonly string[]): Promise<{ timezone: string; items: CalendarDay[] }> {
  return json('GET', address('calendar', { month }) + many(cameras))
}

async function strips(url: string): Promise<{ head: StripHead; bytes: ArrayBuffer; base: number }> {
  // Whole past stretches are kept by the browser: not with `request`, which keeps nothing.
  let answer: Response
  try {
    answer = await fetch(url, { credentials: 'same-origin', signal: AbortSignal.timeout(15_000) })
  } catch {
    throw new Problem('', '', '', 0)
  }
  if (!answer.ok) throw new Problem(String(answer.status), '', '', answer.status)
  const bytes = await answer.arrayBuffer()
  const length = new DataView(bytes).getUint32(0, true)
  const head = JSON.parse(new TextDecoder().decode(new Uint8Array(bytes, 4, length))) as StripHead
  return { head, bytes, base: 4 + length }
}

export type StripAnswer = Awaited<ReturnType<typeof strips>>

export function stripsOver(cameras: readonly string[], fromMs: number, toMs: number, stepS: number): Promise<StripAnswer> {
  return strips(address('strips', { from: stamp(fromMs), to: stamp(toMs), step: stepS }) + many(cameras))
}

export function stripsAt(cameras: readonly string[], atMs: number): Promise<StripAnswer> {
  return strips(address('strips', { at: stamp(atMs) }) + many(cameras))
}

interface HoldWire {
  id: string | number
  camera?: string
  cameras?: string[]
  from: string
  to: string
  reason?: string | null
  ended?: string | null
  state?: string
}

/** Holds that last; where this post has none, or the caller may not see them, there are none. */
export async function holds(): Promise<HeldStretch[]> {
  const answer = (await (await request('GET', address('holds'))).json()) as { items: HoldWire[] }
  return answer.items
    .filter((hold) => !hold.ended && hold.state !== 'ended')
    .map((hold) => ({
      id: String(hold.id),
      cameras: hold.cameras ?? (hold.camera ? [hold.camera] : []),
      fromMs: Date.parse(hold.from),
      toMs: Date.parse(hold.to),
      reason: hold.reason ?? '',
    }))
}
