/** The answers of `/api/v1`, as CONTRACT names them. Times on the wire are RFC 3339 in UTC; here they are left as text. */

export interface Post {
  id: string
  name: string
  timezone: string
  version?: string
}

export interface Me {
  name: string
  role: string
  rights?: string[]
}

export interface StreamInfo {
  name: string
  state?: string
  detail?: string | null
  codec?: string | null
  width?: number | null
  height?: number | null
  fps?: number | null
  bitrate?: number | null
  recording?: boolean
  audio?: string | null
}

export interface Camera {
  id: string
  name: string
  kind?: string
  /** `recording`, or why not: one of the causes of a gap. */
  state: string
  /** Why it does not record, in words; detail is the recorder's own. */
  reason?: string | null
  detail?: string | null
  since?: string | null
  next_attempt?: string | null
  recorded_until?: string | null
  set_up?: string | null
  streams: StreamInfo[]
}

export interface TimelineItemWire {
  from: string
  to: string
  state: 'recorded' | 'gap' | 'pending'
  cause?: string | null
  evidence?: Evidence | null
  held?: string | null
  run?: number | null
}

export interface TimelineWire {
  items: TimelineItemWire[]
  accounted_until: string | null
  next?: string | null
}

export type Evidence = Record<string, unknown>

export interface GapWire {
  camera: string
  stream?: string
  from: string
  to: string
  open: boolean
  cause: string
  evidence?: Evidence | null
}

export interface List<T> {
  items: T[]
  next?: string | null
}

/** The first message of a live socket. */
export interface LiveHello {
  mime: string
  tracks?: { kind?: string; codec?: string; width?: number; height?: number; fps?: number | null }[]
  /** Wall time of the first chunk, whose media time is `media_start` seconds. */
  start?: string | null
  media_start?: number | null
  dropped_tracks?: unknown[]
}
