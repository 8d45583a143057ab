/** Exports: what one would cost, ordering, how far it is, fetching, removing. docs/design/exports.md. */

import { address, json, request } from './client'
import type { List } from './types'

export type ExportKind = 'video' | 'evidence' | 'timelapse'

export interface ExportFile {
  name: string
  camera: string
  from: string
  to: string
  bytes: number
  sha256: string | null
  url: string | null
  about: {
    entry?: number
    gaps?: [number, number, string][]
    gap_us?: number
    pictures?: number | null
    manifest_sha256?: string
    key?: string
    warnings?: string[]
  }
}

export interface ExportJob {
  id: number
  kind: ExportKind
  state: 'waiting' | 'running' | 'done' | 'failed' | 'gone'
  cameras: string[]
  stream: string
  from: string
  to: string
  every_s: number | null
  own: boolean
  by: string | null
  reason: string | null
  created: string
  ended: string | null
  expires: string | null
  bytes: number
  bytes_estimated: number
  progress: { file: number; files: number; step: string; done: number; of: number; part: number; left_s: number | null } | null
  problem: { what: string; why: string; remedy: string } | null
  gone: 'asked' | 'expired' | 'law' | null
  files: ExportFile[]
}

export interface ExportOrder {
  kind: ExportKind
  cameras: string[]
  from: string
  to: string
  every_s: number | null
}

export interface Estimate {
  bytes: number
  files: number
  seconds: number
  pictures: number
  film_s: number
  recorded_s: number
  /** At a hub: what is held at the post, and has to be asked for first. */
  at_post_s: number
  room_bytes: number
  fits: boolean
}

function withCameras(url: string, cameras: readonly string[]): string {
  return url + cameras.map((camera) => `&camera=${encodeURIComponent(camera)}`).join('')
}

export const exports = {
  list: (): Promise<List<ExportJob> & { room_bytes: number }> => json('GET', address('exports', { limit: 200 })),
  one: (id: number): Promise<ExportJob> => json('GET', address(`exports/${id}`)),
  order: (order: ExportOrder, reason: string): Promise<ExportJob> => json('POST', address('exports'), { ...order, reason }),
  estimate: (order: ExportOrder): Promise<Estimate> =>
    json(
      'GET',
      withCameras(
        address('exports/estimate', { kind: order.kind, from: order.from, to: order.to, every_s: order.every_s ?? undefined }),
        order.cameras,
      ),
    ),
  remove: async (id: number): Promise<void> => void (await request('DELETE', address(`exports/${id}`), { reason: '' })),
}
