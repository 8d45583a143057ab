/** What masks cost, and which transcodes run, as the post answers them (web/models_masks.py). */

import type { PictureArea } from '../masks/areas'
import { address, json, request } from './client'

export interface MaskCost {
  seconds: number
  pictures: number
  percent_of_core: number
  cores: number
  bitrate_before: number
  bitrate_after: number
  streams: string[]
}

export interface Transcodes {
  limit: number
  used: number
  running: { camera: string; stream: string; kind: string; since: string }[]
  refused: number
}

/** A few seconds are decoded and encoded for the answer. */
const COST_MS = 70_000

export async function maskCost(camera: string, masks: readonly PictureArea[]): Promise<MaskCost> {
  const url = address(`cameras/${encodeURIComponent(camera)}/masks/cost`)
  return (await (await request('POST', url, { masks }, COST_MS)).json()) as MaskCost
}

export const transcodes = (): Promise<Transcodes> => json('GET', address('transcodes'))
