/** Addresses of live pictures. */

import { address, stamp } from './client'

export interface LiveAsked {
  camera: string
  stream?: string | undefined
  /** With the sound. */
  audio: boolean
  /** Let the post make H.264 of what this browser cannot play. */
  transcode: boolean
  /** At a hub: seconds after which it ends by itself, since it takes the post's link. */
  limitS?: number | undefined
}

/** The WebSocket of live chunks. */
export function liveUrl({ camera, stream, audio, transcode, limitS }: LiveAsked): string {
  const asked = { stream, audio: audio ? undefined : 'false', transcode: transcode ? 'h264' : undefined, limit_s: limitS }
  const url = new URL(address(`cameras/${encodeURIComponent(camera)}/live`, asked), location.href)
  url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:'
  return url.href
}

/** The newest picture that is stored. */
export function newestStillUrl(camera: string, stream: string | undefined, width: number): string {
  return address(`cameras/${encodeURIComponent(camera)}/still.jpg`, { stream, width })
}

/** At a hub: the post is asked for a picture of now. */
export function freshStillUrl(camera: string, width: number): string {
  return address(`cameras/${encodeURIComponent(camera)}/still.jpg`, { fresh: 1, width })
}

/** What is being recorded, as HLS that goes on: for players without MediaSource. */
export function playlistUrl(camera: string, stream: string | undefined, fromMs: number, toMs: number): string {
  return address(`cameras/${encodeURIComponent(camera)}/playlist.m3u8`, { stream, from: stamp(fromMs), to: stamp(toMs) })
}
