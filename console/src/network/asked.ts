/** What is said of a stretch that was asked of a post. */

import type { Asked } from '../api/posts'
import { bytes, t } from '../i18n'
import { session } from '../state/session.svelte'
import * as time from '../time'

export function isOpen(asked: Asked): boolean {
  return asked.state === 'waiting' || asked.state === 'queued' || asked.state === 'coming'
}

/** How much of it is here, 0 to 1; null where its size is not known yet. */
export function shareOf(asked: Asked): number | null {
  if (asked.state === 'done') return 1
  return asked.bytes ? Math.min(1, (asked.done_bytes ?? 0) / asked.bytes) : null
}

/** "On its way: here at about 14:05", "The post has not heard of it yet". */
export function askedWords(asked: Asked): string {
  const size = asked.bytes ? bytes(asked.bytes) : ''
  if (asked.state === 'coming' || asked.state === 'queued') {
    if (asked.eta) return t('network.hereAt', { when: time.moment(Date.parse(asked.eta), session.zone, session.now), size: size || t('common.unknown') })
    return t('network.asked.queued')
  }
  return asked.why ? `${t(`network.asked.${asked.state}`)}: ${asked.why}` : t(`network.asked.${asked.state}`)
}
