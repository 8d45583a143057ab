/** Holds: footage that is protected from removal. docs/design/holds.md. */

import { address, json, request } from './client'
import type { List } from './types'

export interface Hold {
  id: number
  cameras: string[]
  streams: string[]
  from: string
  to: string
  until: string | null
  authority: string | null
  firm: boolean
  law: string | null
  placed: string
  by: string | null
  reason: string | null
  entry: number
  ended: { at: string; why: 'released' | 'expired' | 'law'; by: string | null; reason: string | null; entry: number } | null
  overruled: ('max_age' | 'recording')[]
}

export interface HoldOrder {
  cameras: string[]
  from: string
  to: string
  until: string | null
  authority: string
  reason: string
}

/** Those that stand and touch a stretch; all that stand where none is given. */
export async function holds(asked: { from?: string; to?: string; cameras?: readonly string[]; all?: boolean } = {}): Promise<Hold[]> {
  const url = address('holds', { from: asked.from, to: asked.to, all: asked.all ? 'true' : undefined })
  const cameras = (asked.cameras ?? []).map((camera) => `camera=${encodeURIComponent(camera)}`).join('&')
  return (await json<List<Hold>>('GET', cameras ? `${url}${url.includes('?') ? '&' : '?'}${cameras}` : url)).items
}

export function placeHold(order: HoldOrder): Promise<Hold> {
  return json('POST', address('holds'), order)
}

export async function endHold(id: number, reason: string): Promise<void> {
  await request('DELETE', address(`holds/${id}`), { reason })
}
