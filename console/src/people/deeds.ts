/** What an entry about a person says, as one line. */

import type { Mention } from '../api/people'
import { has, t } from '../i18n'
import * as time from '../time'

/** In the order of the filter: what each group is called, and its kinds. */
export const GROUPS: Record<string, readonly string[]> = {
  viewing: ['viewing'],
  exports: ['export_begun', 'export_made', 'export_taken', 'export_deleted'],
  holds: ['hold_placed', 'hold_ended'],
  logins: ['login', 'logout', 'login_refused'],
  accounts: ['account_changed'],
  audit: ['audit_read', 'personal_erased'],
}

function number(value: unknown): number {
  return typeof value === 'number' ? value : 0
}

function stretch(body: Record<string, unknown>, zone: string, nowMs: number): string {
  const [from, to] = [number(body.from_us) / 1000, number(body.to_us) / 1000]
  if (!from) return ''
  const begin = time.moment(from, zone, nowMs)
  return to - from < 1_000 ? begin : `${begin} – ${time.clock(to, zone)}`
}

/** What was done: "Watched recorded video", "Signed in". names: of accounts, by their numbers. */
export function deedOf(item: Mention, names: ReadonlyMap<number, string>): string {
  const { kind, body } = item
  if (kind === 'viewing') return t(`people.deed.viewing.${has(`people.deed.viewing.${String(body.what)}`) ? String(body.what) : 'recorded'}`)
  if (kind === 'login_refused') return t('people.deed.login_refused', { n: number(body.tries) + number(body.throttled) })
  if (kind === 'login') return t('people.deed.login', { by: has(`people.by.${String(body.by)}`) ? t(`people.by.${String(body.by)}`) : String(body.by) })
  if (kind === 'account_changed') {
    const key = `people.deed.account.${String(body.what)}`
    const account = body.account as { kind?: string; subject?: number } | undefined
    return t(has(key) ? key : 'people.deed.account.other', { who: names.get(account?.subject ?? 0) ?? String(account?.subject ?? '?') })
  }
  const key = `people.deed.${kind}`
  return has(key) ? t(key) : kind.replaceAll('_', ' ')
}

/** What else an entry about viewing tells of, by how it was viewed: a stretch of footage, or a time of looking live. */
function alsoOf(body: Record<string, unknown>): string[] {
  const also = Array.isArray(body.also) ? (body.also as { what?: unknown }[]) : []
  const counted = new Map<string, number>()
  for (const { what } of also) {
    const way = what === 'live' || what === 'still' || what === 'strip' ? what : 'recorded'
    counted.set(way, (counted.get(way) ?? 0) + 1)
  }
  const lines = [...counted].map(([way, n]) => t(`people.deed.also.${way}`, { n }))
  const others = number(body.others)
  return others ? [...lines, t('people.deed.also.others', { n: others })] : lines
}

/** The rest of it: which stretch, which role, why. */
export function detailOf(item: Mention, zone: string, nowMs: number): string[] {
  const { kind, body, person } = item
  const lines: string[] = []
  if (kind === 'viewing' || kind.startsWith('export') || kind === 'hold_placed') lines.push(stretch(body, zone, nowMs))
  if (kind === 'viewing') lines.push(...alsoOf(body))
  if (body.signed === true) lines.push(t('people.deed.signed'))
  const account = body.account as { role?: string } | undefined
  if (account?.role) lines.push(t(`people.role.${account.role}`))
  if (person?.reason) lines.push(t('people.deed.because', { reason: person.reason }))
  return lines.filter(Boolean)
}
