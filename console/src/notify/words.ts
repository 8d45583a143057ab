/** A rule of the settings, as people say it. */

import type { Hours, Rule } from '../api/notify'
import { has, list, t, tag } from '../i18n'
import { duration } from '../time'

export function kindWord(kind: string): string {
  const key = `notify.kind.${kind.replaceAll('.', '_')}`
  return has(key) ? t(key) : kind
}

/** "Mon, Tue 22:00–06:00". */
export function hoursWord(hours: Hours): string {
  const name = new Intl.DateTimeFormat(tag(), { weekday: 'short', timeZone: 'UTC' })
  const days = hours.days.length === 7 ? '' : `${hours.days.map((day) => name.format(new Date(Date.UTC(2024, 0, 1 + day)))).join(', ')} `
  const at = (minute: number): string => `${String(Math.floor(minute / 60)).padStart(2, '0')}:${String(minute % 60).padStart(2, '0')}`
  return `${days}${at(hours.from_minute)}–${at(hours.to_minute)}`
}

/** What, where and when in one line. camera: its name by id. */
export function about(rule: Rule, camera: (id: string) => string): string {
  const what = list(rule.kinds.map((kind) => kindWord(kind).toLocaleLowerCase(tag())))
  const where = rule.cameras.length ? t('notify.at', { cameras: list(rule.cameras.map(camera)) }) : ''
  const within = rule.zones.length ? t('notify.within', { zones: list(rule.zones) }) : ''
  const when = rule.hours.length ? t('notify.during', { hours: rule.hours.map(hoursWord).join('; ') }) : ''
  return capital([what, where, within, when].filter(Boolean).join(' '))
}

/** How it is said: together, how often, and what follows when nobody acknowledges. */
export function manner(rule: Rule): string {
  const span = (seconds: number): string => duration(seconds * 1_000)
  const parts = [
    rule.group ? t('notify.grouped', { span: span(rule.group) }) : '',
    t('notify.bounded', { most: rule.most, span: span(rule.per) }),
    rule.repeat ? t('notify.repeated', { span: span(rule.repeat) }) : '',
    ...rule.escalate.map((step) => t('notify.escalated', { span: span(step.after), to: list(step.to) })),
    rule.urgent ? t('notify.urgent') : '',
  ]
  return `${capital(parts.filter(Boolean).join('; '))}.`
}

function capital(said: string): string {
  return `${said.charAt(0).toLocaleUpperCase(tag())}${said.slice(1)}`
}
