/** Settings, disks, and trying a camera, as the post answers them (web/models_settings.py). */

import { address, json, Problem, request } from './client'
import type { List } from './types'

export interface SettingsProblem {
  line: number
  column: number
  key: string
  what: string
  remedy: string
}

export interface Difference {
  added: string[]
  removed: string[]
  changed: string[]
  interrupted: string[]
  restart_needed: string[]
  reduces: string[]
  values: { key: string; old: string | number | boolean | null; new: string | number | boolean | null }[]
}

export interface Shown {
  path: string
  text: string
  revision: string
  read_only: string | null
  wrong: SettingsProblem[]
  schema: Record<string, unknown>
}

export interface Checked {
  ok: boolean
  problems: SettingsProblem[]
  difference: Difference | null
  unknown: string | null
}

export interface Saved {
  revision: string
  entry: number | null
  difference: Difference | null
}

/** What a refusal to save says beside its words. */
export interface Refusal {
  problems: SettingsProblem[]
  reduces: string[]
  /** The file as it is now, where somebody else changed it. */
  revision: string | null
  text: string | null
}

export interface CameraBlock {
  id: string
  revision: string
  read_only: string | null
  camera: Record<string, unknown>
}

export interface Login {
  user: string
  password: string | null
}

export interface CameraPatch {
  patch: Record<string, unknown>
  reason?: string
  revision?: string
  check?: boolean
  login?: Login
}

export interface Sections {
  revision: string
  read_only: string | null
  post: Record<string, unknown>
  retention: Record<string, unknown>
  notify: Record<string, unknown>
  mqtt: Record<string, unknown>
  /** Names of zones and lines of all cameras. */
  zones: string[]
}

export interface Disk {
  path: string
  kind: string
  size_bytes: number
  free_bytes: number
  used_by: string | null
}

export interface ProbedTrack {
  kind: string
  codec: string
  codec_string: string
  width: number | null
  height: number | null
  fps: number | null
  bitrate: number | null
  sample_rate: number | null
  channels: number | null
  gop_s: number | null
}

export interface Finding {
  code: string
  level: 'bad' | 'warning' | 'note'
  values: Record<string, string | number>
  says: string
}

export interface Probed {
  url: string
  transport: string
  ok: boolean
  fault: string | null
  detail: string
  server: string
  offered: string[]
  first_picture_s: number | null
  measured_s: number
  clock_offset_s: number | null
  tracks: ProbedTrack[]
  findings: Finding[]
  bytes_per_day: number | null
  picture: string | null
}

export interface Make {
  make: string
  main: string
  sub: string | null
  note: string
}

export interface Applied {
  seq: number
  at: string
  person: { user?: string; token?: string; reason?: string } | null
  body: { added?: string[]; removed?: string[]; changed?: string[]; reduces?: string[]; by?: string }
}

/** Saving waits for the recorder, which ends and begins sessions. */
const SAVE_MS = 60_000
const CHECK_MS = 40_000
const PROBE_MS = 25_000

async function saving<T>(method: string, url: string, body: unknown, headers: Record<string, string> = {}): Promise<T> {
  return (await (await request(method, url, body, SAVE_MS, headers)).json()) as T
}

/** What a refusal says; null where it is another kind of failure. */
export function refusalOf(error: unknown): Refusal | null {
  if (!(error instanceof Problem) || (error.status !== 409 && error.status !== 422)) return null
  const said = error.said
  return {
    problems: Array.isArray(said.problems) ? (said.problems as SettingsProblem[]) : [],
    reduces: Array.isArray(said.reduces) ? (said.reduces as string[]) : [],
    revision: typeof said.revision === 'string' ? said.revision : null,
    text: typeof said.text === 'string' ? said.text : null,
  }
}

const camera = (id: string): string => address(`settings/camera/${encodeURIComponent(id)}`)

export const settings = {
  read: (): Promise<Shown> => json('GET', address('settings')),
  check: async (text: string): Promise<Checked> =>
    (await (await request('POST', address('settings/check'), { text }, CHECK_MS)).json()) as Checked,
  save: (text: string, revision: string, reason: string): Promise<Saved> =>
    saving('PUT', address('settings'), { text, reason: reason || null }, { 'If-Match': `"${revision}"` }),
  camera: (id: string): Promise<CameraBlock> => json('GET', camera(id)),
  patchCamera: (id: string, patch: CameraPatch): Promise<Saved> => saving('POST', camera(id), patch),
  checkCamera: (id: string, patch: CameraPatch): Promise<Checked> => saving('POST', camera(id), { ...patch, check: true }),
  removeCamera: (id: string, reason: string): Promise<Saved> => saving('DELETE', camera(id), { reason }),
  sections: (): Promise<Sections> => json('GET', address('settings/section')),
  patchSection: (name: 'post' | 'retention' | 'notify' | 'mqtt', patch: Record<string, unknown>, reason = '', revision: string | null = null): Promise<Saved> =>
    saving('POST', address(`settings/section/${name}`), { patch, reason: reason || null, revision }),
  removeBroker: (revision: string | null = null): Promise<Saved> => saving('DELETE', address('settings/section/mqtt'), { revision }),
  checkSection: (name: 'post' | 'retention', patch: Record<string, unknown>): Promise<Checked> =>
    saving('POST', address(`settings/section/${name}`), { patch, check: true }),
  disks: async (): Promise<Disk[]> => (await json<List<Disk>>('GET', address('disks'))).items,
  probe: async (url: string, transport: string, login: Login | null): Promise<Probed> =>
    (await (await request('POST', address('probe'), { url, transport, login }, PROBE_MS)).json()) as Probed,
  makes: async (): Promise<Make[]> => (await json<List<Make>>('GET', address('probe/makes'))).items,
  /** The entries of the last year that say that settings were applied, the newest first. */
  history: async (nowMs: number): Promise<Applied[]> => {
    const query = { from: new Date(nowMs - 365 * 86_400_000).toISOString(), to: new Date(nowMs + 60_000).toISOString() }
    const found = await json<List<Applied>>('GET', address('audit', { ...query, kind: 'settings_applied', limit: 500 }))
    return found.items.reverse()
  },
}
