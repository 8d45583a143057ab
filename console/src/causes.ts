/** Causes of a gap in words. Red, orange and yellow are kept for alerts, detections and motion; absence has its own colour. */

/** planned: as somebody decided. fault: nobody wanted this. before: there was nothing to record yet. */
export type Tone = 'planned' | 'fault' | 'before'

export interface CauseWords {
  /** A few words, as a label. */
  title: string
  /** A sentence for somebody who has never read the manual. */
  says: string
  icon: IconName
  tone: Tone
}

import type { IconName } from './parts/icons'

const WORDS: Record<string, CauseWords> = {
  not_scheduled: { title: 'Not scheduled', says: 'The schedule does not ask for recording at this time.', icon: 'calendar', tone: 'planned' },
  power_plan: { title: 'Off by power plan', says: 'The energy plan keeps this camera off at this time.', icon: 'leaf', tone: 'planned' },
  paused_by_operator: { title: 'Paused by operator', says: 'Somebody with the right to do so paused this camera.', icon: 'hand', tone: 'planned' },
  privacy_pause: { title: 'Privacy pause', says: 'Recording is paused to protect privacy.', icon: 'hand', tone: 'planned' },
  camera_switched_off: { title: 'Camera switched off', says: 'The camera was cut off from its power.', icon: 'plug', tone: 'fault' },
  camera_unreachable: { title: 'Camera unreachable', says: 'The camera does not answer on the network.', icon: 'unlink', tone: 'fault' },
  camera_refused: { title: 'Camera refused', says: 'The camera answers, and refuses to send video.', icon: 'lock', tone: 'fault' },
  stream_stalled: { title: 'Stream stalled', says: 'The connection stands, and no new picture comes.', icon: 'stall', tone: 'fault' },
  packets_lost: { title: 'Packets lost', says: 'Parts of the video were lost on the way from the camera.', icon: 'loss', tone: 'fault' },
  post_power_lost: { title: 'Post lost power', says: 'The recorder itself had no power.', icon: 'bolt', tone: 'fault' },
  post_stopped: { title: 'Post stopped', says: 'The recorder was stopped in an orderly way.', icon: 'stop', tone: 'fault' },
  recorder_failed: { title: 'Recorder failed', says: 'The recording program failed and was restarted.', icon: 'warning', tone: 'fault' },
  storage_full: { title: 'Storage full', says: 'There was no room left to record to.', icon: 'disk', tone: 'fault' },
  storage_failed: { title: 'Storage failed', says: 'The disk did not take what was written.', icon: 'disk', tone: 'fault' },
  never_recorded: { title: 'Before set-up', says: 'The camera was not set up yet.', icon: 'dots', tone: 'before' },
  unknown: { title: 'Cause unknown', says: 'There is no video here, and no evidence that tells why.', icon: 'question', tone: 'fault' },
}

/** States of a camera that are no cause of a gap. */
const STATES: Record<string, CauseWords> = {
  streaming: { title: 'Starting', says: 'The camera sends; the first second is not durable yet.', icon: 'stall', tone: 'fault' },
  waiting: { title: 'Waiting', says: 'The post waits before it tries the camera again.', icon: 'stall', tone: 'fault' },
  stopped: { title: 'Stopped', says: 'The recorder does not ask this camera for video.', icon: 'stop', tone: 'fault' },
  recording: { title: 'Recording', says: 'What the camera sends becomes durable.', icon: 'check', tone: 'planned' },
  connecting: { title: 'Connecting', says: 'The post is opening the connection to the camera.', icon: 'unlink', tone: 'fault' },
  starting: { title: 'Starting', says: 'The recorder is starting.', icon: 'stall', tone: 'fault' },
  not_recorded: { title: 'Not recorded', says: 'The settings say that this camera is not recorded.', icon: 'calendar', tone: 'planned' },
}

export function causeWords(cause: string | null | undefined): CauseWords {
  const known = cause ? (WORDS[cause] ?? STATES[cause]) : undefined
  if (known) return known
  if (!cause) return WORDS.unknown as CauseWords
  const title = cause.replaceAll('_', ' ')
  return { title: title.charAt(0).toUpperCase() + title.slice(1), says: '', icon: 'question', tone: 'fault' }
}

/** The facts behind a cause, each as one short line. The post wrote them; they are shown as they are. */
export function evidenceLines(evidence: Record<string, unknown> | null | undefined): string[] {
  if (!evidence) return []
  const lines: string[] = []
  for (const [name, value] of Object.entries(evidence)) {
    if (value === null || value === undefined || value === '') continue
    const label = name.replaceAll('_', ' ')
    const said = typeof value === 'object' ? JSON.stringify(value) : String(value)
    lines.push(name === 'detail' || name === 'why' ? said : `${label}: ${said}`)
  }
  return lines
}
