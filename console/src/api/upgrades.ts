/** New versions for the posts of a hub: bundles that it was given, and roll-outs of them. */

import { address, json, request } from './client'
import type { List } from './types'

const UPLOAD_MS = 600_000

export interface Release {
  sha256: string
  version: string
  size: number
  wheels: number
  needs: number
  signers: string[]
  by: string
  added: string
}

export const STAGES = [
  'queued', 'waiting', 'told', 'travelling', 'verifying', 'installing', 'trying', 'switching', 'trial', 'kept', 'returned', 'refused', 'withdrawn', 'expired', 'skipped',
] as const
export type StageName = (typeof STAGES)[number]

export interface Stage {
  post: string
  stage: StageName
  why: string
  /** Of one that travels: what it has. */
  bytes: number | null
  command: number | null
  changed: string | null
}

export interface Rollout {
  id: number
  sha256: string
  version: string
  state: 'running' | 'done' | 'stopping' | 'stopped'
  why: string
  by: string
  reason: string
  ordered: string
  changed: string
  posts: Stage[]
}

export interface Candidate {
  id: string
  name: string
  version: string | null
  via: string[]
  cannot: 'elsewhere' | 'says_no' | 'other_key' | 'misfit' | 'not_newer' | null
  why: string
}

export const upgrades = {
  all: (): Promise<{ releases: Release[]; rollouts: Rollout[] }> => json('GET', address('upgrades')),
  add: async (bundle: Blob, reason: string): Promise<Release> =>
    (await (await request('POST', address('upgrades/releases', { reason: reason || undefined }), bundle, UPLOAD_MS)).json()) as Release,
  remove: async (sha256: string, reason: string): Promise<void> => void (await request('DELETE', address(`upgrades/releases/${sha256}`), { reason })),
  posts: async (sha256: string): Promise<Candidate[]> => (await json<List<Candidate>>('GET', address(`upgrades/releases/${sha256}/posts`))).items,
  roll: (sha256: string, posts: string[], reason: string): Promise<Rollout> => json('POST', address('upgrades/rollouts'), { sha256, posts, reason }),
  stop: async (id: number, reason: string): Promise<void> => void (await request('DELETE', address(`upgrades/rollouts/${id}`), { reason })),
}
