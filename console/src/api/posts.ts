/** The posts of a hub, what is asked of them, and a post's own link to its hub. Times on the wire are RFC 3339. */

import { address, json, request, stamp } from './client'
import type { Checked } from './settings'
import type { List } from './types'

/** The hub tries settings in a process of its own. */
const CHECK_MS = 40_000

/** In the order in which the link serves them. */
export const CLASSES = ['ledger', 'picture', 'strip', 'clip', 'asked', 'bulk'] as const
export type LinkClass = (typeof CLASSES)[number]
/** Bytes that wait, by class; a class that is not named has none. */
export type Backlog = Partial<Record<LinkClass, number>>

export interface Waits {
  class: LinkClass
  bytes?: number | null
  why: 'rate' | 'budget' | 'window' | 'link' | 'metered'
  until?: string | null
}

export interface LinkUse {
  /** What goes over it now, and the cap of the settings; bits a second. */
  bits_per_s?: number | null
  rate?: number | null
  round_trip_ms?: number | null
}

export interface BudgetUse {
  span: 'hour' | 'day' | 'month'
  used: number
  limit: number
}

/** What both ends know of a link. What is absent is not known. */
export interface LinkState {
  state: 'connected' | 'silent' | 'revoked' | 'never'
  since?: string | null
  last_contact?: string | null
  backlog?: Backlog | null
  link?: LinkUse | null
  budget?: BudgetUse[] | null
  waits?: Waits | null
}

export interface PostItem extends LinkState {
  id: string
  name: string
  timezone?: string
  /** Hubs between it and this one, the nearest to the post first. */
  via?: string[]
  /** Of one that is silent, where the hub can tell. */
  silence?: { state: 'plan' | 'link' | 'power' | 'hand' | 'unknown'; since: string; expected_at: string | null; alarm_at: string | null; overdue: boolean; resting: boolean } | null
  power?: { mains?: string | null; battery_percent?: number | null } | null
  /** Of the program that runs there, as it said last. */
  version?: string | null
  cameras?: number
  recording?: number
  accounted_until?: string | null
  checkpoint?: { size: number; at?: string | null; countersigned?: boolean | string | null } | null
  place?: { lat: number; lon: number } | null
  problems?: { what: string; why?: string; remedy?: string }[]
  revoked?: { at?: string | null; by?: string | null; reason?: string | null } | null
}

/** A part of the list, or the whole; the cursor asks for what changes from here on. */
export interface Changed {
  items: PostItem[]
  cursor: string
  whole: boolean
}

export interface Asked {
  id: string | number
  post?: string
  camera: string
  stream?: string | null
  from: string
  to: string
  by?: string | null
  reason?: string | null
  asked?: string | null
  state: 'waiting' | 'queued' | 'coming' | 'done' | 'gone' | 'refused' | 'withdrawn'
  bytes?: number | null
  done_bytes?: number | null
  eta?: string | null
  why?: string | null
}

/** What this hub told a post to do. */
export interface Command {
  id: number
  post: string
  kind: string
  by: string
  reason: string
  state: 'waiting' | 'sent' | 'trial' | 'done' | 'refused' | 'returned' | 'withdrawing' | 'withdrawn' | 'expired'
  given: string
  changed: string
  expires: string
  trial_until: string | null
  difference: string | null
  answer: Record<string, unknown>
}

export interface OwnLink extends LinkState {
  joined: boolean
  hub?: { id: string; name?: string; address?: string; fingerprint?: string } | null
  /** What this post is called there. */
  post?: string | null
  windows?: { days?: string; from: string; to: string }[] | null
  metered?: boolean
}

const one = (id: string, rest = ''): string => address(`posts/${encodeURIComponent(id)}${rest}`)

export const posts = {
  all: async (): Promise<PostItem[]> => (await json<List<PostItem>>('GET', address('posts'))).items,
  /** What changed since the cursor of the answer before; all of them where it is not known there. */
  changed: (since: string): Promise<Changed> => json('GET', address('posts', { since: since || undefined })),
  one: (id: string): Promise<PostItem> => json('GET', one(id)),
  checkpoint: async (id: string): Promise<string> => (await request('GET', one(id, '/checkpoint'))).text(),
  invite: (id: string, reason: string): Promise<{ code: string; expires?: string | null }> => json('POST', one(id, '/invite'), { reason }),
  revoke: async (id: string, reason: string): Promise<void> => void (await request('DELETE', one(id), { reason })),
  /** What is left of it, signed: a zip. */
  statement: async (id: string, reason: string): Promise<Blob> => (await request('POST', one(id, '/statement'), { reason }, 120_000)).blob(),
  commands: async (id: string): Promise<Command[]> => (await json<List<Command>>('GET', one(id, '/commands'))).items,
  readSettings: (id: string): Promise<Command> => json('POST', one(id, '/commands'), { kind: 'settings_read' }),
  saveSettings: (id: string, text: string, revision: string, reason: string): Promise<Command> =>
    json('POST', one(id, '/commands'), { kind: 'settings_save', text, revision, reason }),
  settingsForm: async (id: string): Promise<Record<string, unknown>> => (await json<{ schema: Record<string, unknown> }>('GET', one(id, '/settings/form'))).schema,
  checkSettings: async (id: string, text: string, revision: string): Promise<Checked> =>
    (await (await request('POST', one(id, '/settings/check'), { text, revision }, CHECK_MS)).json()) as Checked,
  withdrawCommand: async (id: string, number: number): Promise<void> => void (await request('DELETE', one(id, `/commands/${number}`))),
  requests: async (): Promise<Asked[]> => (await json<List<Asked>>('GET', address('requests'))).items,
  ask: (camera: string, fromMs: number, toMs: number, reason: string): Promise<Asked> =>
    json('POST', address('requests'), { camera, from: stamp(fromMs), to: stamp(toMs), reason }),
  withdraw: async (id: string | number): Promise<void> => void (await request('DELETE', address(`requests/${id}`))),
  link: (): Promise<OwnLink> => json('GET', address('link')),
  join: (code: string): Promise<OwnLink> => json('POST', address('link'), { code }),
}

export function total(backlog: Backlog | null | undefined): number {
  return CLASSES.reduce((sum, name) => sum + (backlog?.[name] ?? 0), 0)
}
