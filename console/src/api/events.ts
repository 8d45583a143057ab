/** What was seen, as the post answers it (web/models_events.py). */

import { address, json, stamp } from './client'
import type { List } from './types'

export type LevelName = 'motion' | 'detection' | 'alert'
export type Box = [number, number, number, number]

export interface SeenEvent {
  id: string
  camera: string
  kind: string
  level: LevelName
  from: string
  to: string | null
  score: number
  zones: string[]
  count: number
  /** held: where its picture is; null where none was made, or not yet. */
  best: { at: string; box: Box | null; picture: boolean; held: 'here' | 'post' | 'asked' | 'gone' | null }
  /** The stretch that shows it: half a minute at most. */
  clip: { from: string; to: string }
  detail: string
  twin: string | null
  reviewed: { at: string; by: string | null } | null
}

export interface Wanted {
  fromMs: number
  toMs: number
  cameras?: readonly string[]
  kinds?: readonly string[]
  zones?: readonly string[]
  reviewed?: boolean
}

/** [from_us, to_us or null, level 0 to 2, how many]. */
export type CrowdWire = [number, number | null, number, number]

export interface CrowdsWire {
  from_us: number
  to_us: number
  step_us: number
  items: { camera: string; spans: CrowdWire[]; blind: [number, number | null, string, string][] }[]
}

function many(name: string, values: readonly string[] = []): string {
  return values.map((value) => `&${name}=${encodeURIComponent(value)}`).join('')
}

export function events(asked: Wanted, limit: number, cursor?: string): Promise<List<SeenEvent>> {
  const query = { from: stamp(asked.fromMs), to: stamp(asked.toMs), limit, cursor, reviewed: asked.reviewed === undefined ? undefined : String(asked.reviewed) }
  return json('GET', address('events', query) + many('camera', asked.cameras) + many('kind', asked.kinds) + many('zone', asked.zones))
}

export function crowds(cameras: readonly string[], fromMs: number, toMs: number, width: number): Promise<CrowdsWire> {
  return json('GET', address('events/crowds', { from: stamp(fromMs), to: stamp(toMs), width }) + many('camera', cameras))
}

export function review(id: string, reviewed: boolean): Promise<SeenEvent> {
  return json('PUT', address(`events/${id}/review`), { reviewed })
}

/** A camera that was recorded while nobody looked at it. off: the settings have it so. */
export interface Unlooked {
  camera: string
  off: boolean
  seconds: number
  stretches: { from: string; to: string }[]
}

export async function unlooked(fromMs: number, toMs: number, cameras: readonly string[]): Promise<Unlooked[]> {
  const query = new URLSearchParams({ from: new Date(fromMs).toISOString(), to: new Date(toMs).toISOString() })
  for (const camera of cameras) query.append('camera', camera)
  return (await json<{ items: Unlooked[] }>('GET', `${address('detection/unlooked')}?${query.toString()}`)).items
}

export function event(id: string): Promise<SeenEvent> {
  return json('GET', address(`events/${id}`))
}

/** At a hub: its picture lies at the post, and is wanted here. */
export function askPicture(id: string): Promise<SeenEvent> {
  return json('POST', address(`events/${id}/picture`))
}

/** It shows another moment when the best one has moved: the address changes with it. */
export function pictureUrl(event: SeenEvent): string {
  return address(`events/${event.id}/picture.jpg`, { of: event.best.at })
}

/** A short film of it; as it goes on the address changes with it. */
export function clipUrl(event: SeenEvent): string {
  return address(`events/${event.id}/clip.mp4`, { of: event.clip.to })
}
