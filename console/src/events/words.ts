/** What was seen, in words. */

import type { LevelName, SeenEvent } from '../api/events'
import { has, t } from '../i18n'
import type { IconName } from '../parts/icons'

export const GROUPS = ['motion', 'object', 'tamper', 'thermal'] as const
export const ICONS: Record<LevelName, IconName> = { motion: 'motion', detection: 'seen', alert: 'alert' }

/** Seconds that are shown before and after it, where somebody plays it. */
export const BEFORE_MS = 5_000

export function kindWords(kind: string): string {
  const key = `events.kind.${kind.replace('.', '_')}`
  return has(key) ? t(key) : kind
}

/** Where somebody plays it: a few seconds before it begins, on the page for review. */
export function reviewPath(event: SeenEvent): string {
  const query = new URLSearchParams({ camera: event.camera, event: event.id })
  return `review/${new Date(Date.parse(event.from) - BEFORE_MS).toISOString()}?${query.toString()}`
}
