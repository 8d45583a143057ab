/** What is known of a link and a post, as sentences. */

import { total, type Command, type LinkState, type PostItem, type Waits } from '../api/posts'
import { STAGES } from '../api/upgrades'
import { bytes, number, t } from '../i18n'
import { session } from '../state/session.svelte'
import * as time from '../time'
import { speedOf, standingOf, timeFor } from './order'

export function standingWords(post: PostItem): string {
  return t(`network.standing.${standingOf(post)}`)
}

/** The post says things as half sentences, for lines of a log. */
export function sentence(said: string | undefined): string {
  return said ? `${said.charAt(0).toUpperCase()}${said.slice(1)}${/[.!?…]$/.test(said) ? '' : '.'}` : ''
}

/** "08:14:03, 12 min ago". */
export function when(at: string | null | undefined): string {
  const ms = Date.parse(at ?? '')
  if (Number.isNaN(ms)) return t('common.unknown')
  return t('network.whenAgo', { when: time.moment(ms, session.zone, session.now), age: time.age(session.now - ms) })
}

/** "12 min ago", for a list; the moment itself is told beside it on request. */
export function ago(at: string | null | undefined): string {
  const ms = Date.parse(at ?? '')
  return Number.isNaN(ms) ? t('common.none') : t('network.ago', { age: time.age(session.now - ms) })
}

export function rateWords(bitsPerS: number | null | undefined): string {
  if (bitsPerS == null) return t('common.unknown')
  return bitsPerS < 999_500 ? t('live.kbits', { n: number(Math.round(bitsPerS / 1_000)) }) : t('live.mbits', { n: number(Math.round(bitsPerS / 100_000) / 10) })
}

/** "2.4 MB, about 5 min at 64 kbit/s". */
export function backlogWords(of: LinkState): string {
  if (!of.backlog) return t('common.unknown')
  const size = total(of.backlog)
  if (size === 0) return t('network.nothingWaits')
  const ms = timeFor(size, speedOf(of.link))
  return ms === null ? bytes(size) : t('network.backlogFor', { size: bytes(size), time: time.duration(ms) })
}

export function linkWords(of: LinkState): string {
  if (of.state !== 'connected') return t('network.noLink')
  const { bits_per_s: now, rate } = of.link ?? {}
  if (now == null && rate == null) return t('common.unknown')
  if (rate == null) return rateWords(now)
  return t('network.rateOf', { now: rateWords(now ?? 0), rate: rateWords(rate) })
}

export function waitsWords(waits: Waits): string {
  const until = waits.until ? time.moment(Date.parse(waits.until), session.zone, session.now) : ''
  return t(`network.waits.${waits.why}`, { what: t(`network.class.${waits.class}`), size: waits.bytes == null ? '' : bytes(waits.bytes), until })
}

export function powerWords(power: PostItem['power']): string {
  if (!power) return t('common.unknown')
  const mains = power.mains && ['on', 'off', 'unknown'].includes(power.mains) ? t(`health.mains.${power.mains}`) : ''
  const left = power.battery_percent == null ? '' : t('health.battery', { percent: number(power.battery_percent / 100, { style: 'percent' }) })
  return [mains, left].filter(Boolean).join(', ') || t('common.unknown')
}

/** What became of a command, with the moment that matters. */
export function commandWords(command: Command): string {
  const moment = (at: string | null): string => (at ? time.moment(Date.parse(at), session.zone, session.now) : '')
  const why = typeof command.answer.why === 'string' ? command.answer.why : ''
  const until = moment(command.state === 'trial' ? command.trial_until : command.expires)
  if (command.kind === 'upgrade' && (command.state === 'trial' || command.state === 'done' || command.state === 'returned')) {
    const key = command.state === 'done' ? 'keptUpgrade' : `${command.state}Upgrade`
    const said = String(command.answer.stage ?? '')
    const stage = t(`upgrade.stage.${STAGES.some((each) => each === said) && said !== 'waiting' ? said : 'travelling'}`)
    return t(`command.state.${key}`, { stage, when: moment(command.changed), why: sentence(why) })
  }
  const key = command.state === 'done' && command.kind === 'settings_save' ? 'kept' : command.state
  return t(`command.state.${key}`, { until, when: moment(command.changed), why: sentence(why) })
}

export function countersigned(post: PostItem): boolean {
  return Boolean(post.checkpoint?.countersigned)
}
