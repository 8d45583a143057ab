/** What settings change, in words: of cameras by their names. */

import type { Difference } from '../api/settings'
import { list, t } from '../i18n'

export function told(difference: Difference, nameOf: (id: string) => string): string[] {
  const names = (ids: readonly string[]): { names: string; n: number } => ({ names: list(ids.map(nameOf)), n: ids.length })
  const quiet = difference.changed.filter((id) => !difference.interrupted.includes(id))
  const lines: string[] = []
  if (difference.added.length) lines.push(t('settings.added', names(difference.added)))
  if (difference.removed.length) lines.push(t('settings.removed', names(difference.removed)))
  if (difference.interrupted.length) lines.push(t('settings.interrupted', names(difference.interrupted)))
  if (quiet.length) lines.push(t('settings.changedQuietly', names(quiet)))
  if (difference.restart_needed.length) lines.push(t('settings.restart', { keys: list(difference.restart_needed) }))
  const others = difference.values.filter((value) => !value.key.startsWith('cameras.')).map((value) => value.key)
  if (others.length) lines.push(t('settings.otherKeys', { keys: list(others.slice(0, 6)), n: others.length }))
  if (!lines.length) lines.push(t('settings.nothing'))
  else if (!difference.interrupted.length && !difference.removed.length) lines.push(t('settings.noneInterrupted'))
  return lines
}
