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

import { t } from './i18n'
import type { IconName } from './parts/icons'

/** Causes of a gap, and states of a camera that are none. Their words: i18n, area `causes`. */
const LOOKS: Record<string, Pick<CauseWords, 'icon' | 'tone'>> = {
  not_scheduled: { icon: 'calendar', tone: 'planned' },
  power_plan: { icon: 'leaf', tone: 'planned' },
  paused_by_operator: { icon: 'hand', tone: 'planned' },
  privacy_pause: { icon: 'hand', tone: 'planned' },
  camera_switched_off: { icon: 'plug', tone: 'fault' },
  camera_unreachable: { icon: 'unlink', tone: 'fault' },
  camera_refused: { icon: 'lock', tone: 'fault' },
  stream_stalled: { icon: 'stall', tone: 'fault' },
  packets_lost: { icon: 'loss', tone: 'fault' },
  post_power_lost: { icon: 'bolt', tone: 'fault' },
  post_stopped: { icon: 'stop', tone: 'fault' },
  recorder_failed: { icon: 'warning', tone: 'fault' },
  storage_full: { icon: 'disk', tone: 'fault' },
  storage_failed: { icon: 'disk', tone: 'fault' },
  never_recorded: { icon: 'dots', tone: 'before' },
  unknown: { icon: 'question', tone: 'fault' },
  streaming: { icon: 'stall', tone: 'fault' },
  waiting: { icon: 'stall', tone: 'fault' },
  stopped: { icon: 'stop', tone: 'fault' },
  recording: { icon: 'check', tone: 'planned' },
  connecting: { icon: 'unlink', tone: 'fault' },
  starting: { icon: 'stall', tone: 'fault' },
  not_recorded: { icon: 'calendar', tone: 'planned' },
}

/** Those of a gap, in the order of the contract's list. */
export const CAUSES = [
  'not_scheduled', 'power_plan', 'paused_by_operator', 'camera_switched_off', 'camera_unreachable', 'camera_refused', 'stream_stalled',
  'packets_lost', 'post_power_lost', 'post_stopped', 'recorder_failed', 'storage_full', 'storage_failed', 'privacy_pause',
  'never_recorded', 'unknown',
] as const

export function causeWords(cause: string | null | undefined): CauseWords {
  const name = cause || 'unknown'
  const looks = LOOKS[name]
  if (looks) return { title: t(`causes.${name}`), says: t(`causes.${name}.says`), ...looks }
  const title = name.replaceAll('_', ' ')
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
