/** How looking at pictures goes. */

import { address, json } from './client'

export type Doing = 'off' | 'not_installed' | 'starting' | 'waiting' | 'no_pictures' | 'looking' | 'resting' | 'failing'

export interface CameraDetection {
  camera: string
  doing: Doing
  why: string
  gate: string
  sizes_tell: boolean
  level: 'all' | 'fewer' | 'keys' | 'turns'
  behind_s: number
  looked_until: string | null
  skipped: number
  missed: number
  samples: number
  vectors_asked: number
  objects_asked: number
  objects_skipped: number
  cpu_s: number
  open_share: number
}

export interface ObjectModel {
  doing: 'none' | 'opening' | 'ready' | 'resting' | 'failing'
  why: string
  name: string
  version: string
  licence: string
  finds: string[]
  ask_s: number
}

/** The process that decides what is decoded, and those that decode and look. Null for who may not see every camera. */
export interface Watcher {
  running: boolean
  resident_bytes: number
  cpu_s: number
  children: { pid: number; resident_bytes: number; cpu_s: number }[]
}

export const detection = (): Promise<{ items: CameraDetection[]; model: ObjectModel; watcher: Watcher | null }> => json('GET', address('detection'))

/** What moved where in a camera's picture; lists go row by row from the top left. */
export interface Movement {
  camera: string
  span_hours: number
  doing: Doing
  columns: number
  rows: number
  looked_s: number
  looked_hours: number
  seconds: number[]
  hours: number[]
}

export const movement = (camera: string, hours: number): Promise<Movement> => json('GET', address(`cameras/${encodeURIComponent(camera)}/movement`, { hours }))
