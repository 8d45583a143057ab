/** How the post is, its reports and its proof. Times on the wire are RFC 3339. */

import { address, json, request, stamp } from './client'
import type { Evidence, GapWire, List } from './types'

export interface Health {
  ready: boolean
  remarks: { rule: string; subject: string; what: string; why: string; remedy: string; camera: string | null }[]
  versions: { server: string; recorder: string }
  clock: string
  mains: string | null
  battery_percent: number | null
  runtime_s: number | null
  devices: { name: string; answers: boolean }[]
  disks: { path: string; state: string; detail: string; size_bytes: number | null; free_bytes: number | null }[]
  keeping: {
    max_age_s: number
    max_size_bytes: number | null
    held_bytes: number
    bytes_per_day: number
    days_of_room: number | null
  } | null
  processes: { name: 'recorder' | 'server'; resident_bytes: number | null; cpu: number | null; up_s: number | null }[]
  memory_bytes: number | null
  memory_free_bytes: number | null
  ledger: { origin: string; fingerprint: string; signed: number; published: number; problems: string[] } | null
  entries_waiting: number
}

export interface Figures {
  wall_us: number
  promised_us: number
  delivered_us: number
  missed_us: number
  /** Of what was recorded: while the view was hidden. */
  blind_us: number
  unexplained_us: number
  interruptions: number
  longest_us: number
  delivered_ppm: number | null
  gaps_us: Record<string, number>
}

export interface Period extends Figures {
  name: string
  from: string
  to: string
}

export interface Report {
  from: string
  to: string
  total: Figures
  days: Period[]
  cameras: { id: string; name: string; total: Figures; days: Period[] }[]
  longest_interruptions: { cameras: string[]; from: string; to: string; cause: string; evidence: Evidence }[]
  alarms: {
    id: number
    kind: string
    camera: string
    says: string
    raised: string
    ended: string | null
    acknowledged: string | null
    by: string | null
    reason: string | null
  }[]
}

export interface Verification {
  state: 'never' | 'running' | 'done' | 'failed'
  begun: string | null
  ended: string | null
  part: string
  done: number
  of: number
  ok: boolean | null
  summary: string
  fingerprint: string
  size: number
  findings: { kind: string; failed: boolean; what: string; detail: string; camera: string | null; from: string | null; to: string | null }[]
}

export interface Due {
  camera: string
  stream: string
  from: string
  to: string
  bytes: number
  why: string
  /** When it goes, by age; null: now. */
  due: string | null
}

export const condition = {
  health: (): Promise<Health> => json('GET', address('health')),
  verification: (): Promise<Verification> => json('GET', address('verification')),
  verify: (): Promise<Verification> => json('POST', address('verification')),
  checkpoint: async (): Promise<string> => (await request('GET', address('ledger/checkpoint'))).text(),
  report: async (fromMs: number, toMs: number): Promise<Report> =>
    (await (await request('GET', address('report', { from: stamp(fromMs), to: stamp(toMs) }), undefined, 60_000)).json()) as Report,
  signed: async (fromMs: number, toMs: number): Promise<{ name: string; data: Blob }> => {
    const answer = await request('POST', address('report'), { from: stamp(fromMs), to: stamp(toMs) }, 120_000)
    const name = /filename="([^"]+)"/.exec(answer.headers.get('Content-Disposition') ?? '')?.[1] ?? 'report.zip'
    return { name, data: await answer.blob() }
  },
  due: (): Promise<List<Due>> => json('GET', address('retention/preview', { limit: 200 })),
  /** The host's clock is right, as it is now. */
  vouch: (): Promise<{ time: string }> => json('POST', address('retention/approve')),
  gaps: (fromMs: number, toMs: number, camera: string, cursor?: string): Promise<List<GapWire>> =>
    json('GET', address('gaps', { from: stamp(fromMs), to: stamp(toMs), camera: camera || undefined, limit: 200, cursor })),
}
