/** How a stage looks: never by its colour alone. */

import type { Rollout, StageName } from '../api/upgrades'
import type { IconName, Tone } from '../parts/icons'


export const LOOKS: Record<StageName, { icon: IconName; tone: Tone }> = {
  queued: { icon: 'clock', tone: 'muted' },
  waiting: { icon: 'unlink', tone: 'muted' },
  told: { icon: 'link', tone: 'muted' },
  travelling: { icon: 'download', tone: 'calm' },
  verifying: { icon: 'key', tone: 'calm' },
  installing: { icon: 'disk', tone: 'calm' },
  trying: { icon: 'question', tone: 'calm' },
  switching: { icon: 'next', tone: 'calm' },
  trial: { icon: 'stall', tone: 'calm' },
  kept: { icon: 'check', tone: 'good' },
  returned: { icon: 'back', tone: 'bad' },
  refused: { icon: 'warning', tone: 'bad' },
  withdrawn: { icon: 'close', tone: 'muted' },
  expired: { icon: 'close', tone: 'bad' },
  skipped: { icon: 'minus', tone: 'muted' },
}

export const STATES: Record<Rollout['state'], { icon: IconName; tone: Tone }> = {
  running: { icon: 'next', tone: 'calm' },
  done: { icon: 'check', tone: 'good' },
  stopping: { icon: 'stop', tone: 'bad' },
  stopped: { icon: 'stop', tone: 'bad' },
}

/** How much of a bundle is there, 0 to 1; null where it does not travel. */
export function share(bytes: number | null, size: number | undefined): number | null {
  return bytes === null || !size ? null : Math.min(1, Math.max(0, bytes / size))
}

/** Those that are ticked, the one that tries it first before the others. */
export function inOrder(ticked: readonly string[], first: string): string[] {
  return ticked.includes(first) ? [first, ...ticked.filter((each) => each !== first)] : [...ticked]
}
