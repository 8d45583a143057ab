/** The answers of `/api/v1`, as CONTRACT names them. Times on the wire are RFC 3339 in UTC; here they are left as text. */

import type { PictureArea } from '../masks/areas'

export interface Post {
  id: string
  name: string
  timezone: string
  version?: string
  /** A hub shows the cameras of many posts. */
  role?: 'post' | 'hub'
}

export interface Me {
  kind?: 'user' | 'token'
  /** The number that the ledger knows this person by. */
  subject?: number
  name: string
  role: string
  rights?: string[]
  /** The only ones this person may see; null: all. */
  cameras?: string[] | null
  /** Where the one who asks is signed in. */
  post?: Post
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
  /** At a hub with its post's name before it: "North ridge / Gate". */
  name: string
  /** What it is called at its post. */
  own?: string
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
  /** How many parts of its picture are painted over in the recording itself. */
  masks?: number
  /** What is hidden when it is shown; the recording contains it. */
  shades?: PictureArea[]
  /** How many zones and lines are drawn on its picture; null at a hub, which does not know. */
  zones?: number | null
  lines?: number | null
  /** It gives thermal stills, of which each pixel can be read. */
  stills?: boolean
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

/** Something that was raised, until it is over and dealt with. */
export interface Alarm {
  id: number
  kind: string
  camera: string | null
  cause: string | null
  evidence?: Evidence | null
  raised: string
  /** When what was wrong was over; null while it lasts. */
  ended: string | null
  acknowledged: { at: string; by: string | null; reason: string | null } | null
  /** At a hub: said there, and not yet in its post's ledger. state: as of a command. */
  acknowledging?: { at: string; by: string; reason: string; state: string; why: string | null } | null
  repeats: number
  /** What else the post knows of it: subject (a volume, `index`, `stop`), gaps, missing_us, mains, battery_percent, reduces. */
  facts?: Record<string, unknown>
  /** One plain sentence. */
  says: string
}

export interface List<T> {
  items: T[]
  next?: string | null
}

/** The first message of a live socket; one without `mime` only says anew where media time stands on the wall. */
export interface LiveHello {
  mime?: string
  tracks?: { kind?: string; codec?: string; codec_string?: string; width?: number; height?: number; fps?: number | null }[]
  /** Wall time of the first chunk, whose media time is `media_start` seconds. */
  start?: string | null
  media_start?: number | null
  /** Codec of what there is to hear; null where there is nothing. */
  audio?: string | null
  dropped_tracks?: { kind: string; codec: string; why: string }[]
  /** At a hub: in which quality it comes over the post's link, and until when. */
  via?: LiveVia | null
}

export interface LiveVia {
  quality?: 'stills' | 'sub' | 'main' | 'transcode'
  limit_s?: number
  ends?: string | null
}
