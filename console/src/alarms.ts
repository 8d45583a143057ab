/** What an alarm says, in the page's language: the words of the post's own sentence (`accounting.alarm_words`), from its kind, cause and facts. */

import type { Alarm } from './api/types'
import { has, t } from './i18n'

/** name: of the camera, or of the post. */
export function alarmSays(alarm: Alarm, name: string): string {
  const said = [sentence(alarm, name)]
  const detail = alarm.evidence?.detail
  if (alarm.kind !== 'camera_silent' && typeof detail === 'string' && detail) said.push(`${detail}.`)
  if (alarm.kind === 'camera_silent' && alarm.evidence?.inferred) said.push(t('alarms.inferred'))
  if (alarm.evidence?.fault === 'no_secret') said.push(t('alarms.noSecret'))
  if (alarm.facts?.mains === 'off') said.push(t('alarms.onBattery'))
  if (Array.isArray(alarm.facts?.reduces)) said.push(`${alarm.facts.reduces.slice(0, 3).map(String).join('; ')}.`)
  if (alarm.ended !== null && alarm.acknowledged === null) said.push(t('alarms.over'))
  return said.join(' ')
}

function sentence(alarm: Alarm, name: string): string {
  switch (alarm.kind) {
    case 'camera_silent':
      return t('alarms.silent', { name, why: why(alarm.cause) })
    case 'unknown_cause':
      return t('alarms.unknownCause', { name, n: count(alarm.facts?.gaps) })
    case 'accounting_reduced':
      return t(alarm.says.startsWith('Recording was stopped') ? 'alarms.reducedStop' : 'alarms.reduced')
    case 'storage':
      return storage(alarm)
    case 'ledger':
      return alarm.evidence?.detail ? t('alarms.ledger') : `${t('alarms.ledger')} ${t('alarms.ledgerAnew')}`
    case 'unconfirmed_removed':
      return t('alarms.removed')
    case 'post_silent':
      return t('alarms.postSilent', { name: String(alarm.evidence?.name ?? ''), why: silenceOf(alarm.cause) })
    case 'camera_blind': {
      const how = `alarms.how.${alarm.cause ?? ''}`
      return t('alarms.blind', { name, how: t(has(how) ? how : 'alarms.how.hidden') })
    }
    case 'hold': {
      const how = { max_age: 'alarms.holdLaw', recording: 'alarms.holdRoom' }[String(alarm.evidence?.overruled)] ?? 'alarms.holdSoon'
      return t(how, { n: String(count(alarm.evidence?.hold)), days: count(alarm.evidence?.days) })
    }
    default:
      return alarm.says // of a newer post: its own words are better than none
  }
}

function storage(alarm: Alarm): string {
  const what = alarm.cause === 'storage_full' ? 'Full' : 'Fails'
  if (alarm.facts?.subject === 'index') return t(`alarms.index${what}`)
  return t(`alarms.volume${what}`, { where: String(alarm.evidence?.path ?? alarm.facts?.subject ?? '') })
}

function why(cause: string | null): string {
  const key = `alarms.why.${cause ?? 'unknown'}`
  return t(has(key) ? key : 'alarms.why.unknown')
}

function silenceOf(cause: string | null): string {
  const key = `alarms.silence.${cause ?? 'unknown'}`
  return t(has(key) ? key : 'alarms.silence.unknown')
}

function count(value: unknown): number {
  return typeof value === 'number' ? value : 1
}
