/** Ways, people and rules as forms have them, and as the settings are to say them. Pure. */

import type { Hours, Rule } from '../api/notify'
import { written, type Window } from '../setup/windows'

export const UNITS = { s: 1, m: 60, h: 3_600, d: 86_400 } as const
export type Unit = keyof typeof UNITS

export interface Span {
  n: number
  unit: Unit
}

/** The largest unit that says it without a fraction. */
export function spanOf(seconds: number): Span {
  for (const unit of ['d', 'h', 'm'] as const) if (seconds > 0 && seconds % UNITS[unit] === 0) return { n: seconds / UNITS[unit], unit }
  return { n: seconds, unit: 's' }
}

export const spanWritten = (span: Span): string => `${span.n}${span.unit}`

/** What rules may name beside events. `alarm` is all of them. */
export const ALARMS = ['not_recording', 'switched_off', 'blind', 'disk', 'power', 'post_silent', 'unexplained', 'accounting', 'removed', 'hold', 'ledger', 'detection', 'channel'] as const

/** Events that can occur here. finds: classes that the model knows; thermal: whether a camera sees heat. */
export function eventKinds(finds: readonly string[], thermal: boolean): string[] {
  return ['motion', 'motion.line', 'motion.dwell', 'tamper', ...(finds.length ? ['object', ...finds.map((each) => `object.${each}`)] : []), ...(thermal ? ['thermal.hot', 'thermal.cold'] : [])]
}

/** Whether a word is said already by another that stands there: `motion` means `motion.line` too. */
export function covered(kind: string, kinds: readonly string[]): boolean {
  const isAlarm = (ALARMS as readonly string[]).includes(kind)
  return kinds.some((other) => other !== kind && (kind.startsWith(`${other}.`) || (other === 'alarm' && isAlarm) || (other === 'event' && !isAlarm && kind !== 'alarm')))
}

/** With a word more or less; what the new one covers goes. */
export function toggled(kinds: readonly string[], kind: string, on: boolean): string[] {
  if (!on) return kinds.filter((each) => each !== kind)
  return [...kinds.filter((each) => each !== kind && !covered(each, [kind])), kind]
}

export interface RuleDraft {
  kinds: string[]
  cameras: string[]
  zones: string[]
  windows: Window[] | null
  to: string[]
  group: Span
  most: number
  per: Span
  repeat: Span | null
  escalate: { after: Span; to: string[] }[]
  ends: 'usual' | 'yes' | 'no'
  urgent: boolean
}

export const NEW_RULE: RuleDraft = {
  kinds: ['alarm'], cameras: [], zones: [], windows: null, to: [], group: { n: 10, unit: 's' }, most: 12, per: { n: 1, unit: 'h' }, repeat: null, escalate: [],
  ends: 'usual', urgent: false,
}

export function draftOf(rule: Rule): RuleDraft {
  return {
    kinds: rule.kinds.flatMap((kind) => (kind === 'all' ? ['alarm', 'event'] : [kind])),
    cameras: [...rule.cameras],
    zones: [...rule.zones],
    windows: rule.hours.length ? rule.hours.map(windowOf) : null,
    to: [...rule.to],
    group: spanOf(rule.group),
    most: rule.most,
    per: spanOf(rule.per),
    repeat: rule.repeat ? spanOf(rule.repeat) : null,
    escalate: rule.escalate.map((step) => ({ after: spanOf(step.after), to: [...step.to] })),
    ends: rule.ends === null ? 'usual' : rule.ends ? 'yes' : 'no',
    urgent: rule.urgent,
  }
}

export function windowOf(hours: Hours): Window {
  const at = (minute: number): string => `${String(Math.floor(minute / 60)).padStart(2, '0')}:${String(minute % 60).padStart(2, '0')}`
  return { days: [0, 1, 2, 3, 4, 5, 6].map((day) => hours.days.includes(day)), from: at(hours.from_minute), to: at(hours.to_minute) }
}

/** As the settings say it; null is what holds without the key. */
function ruleWritten(draft: RuleDraft): Record<string, unknown> {
  const some = <T>(all: readonly T[]): T[] | null => (all.length ? [...all] : null)
  return {
    kinds: draft.kinds.includes('alarm') && draft.kinds.includes('event') ? ['all'] : [...draft.kinds],
    to: [...draft.to],
    cameras: some(draft.cameras),
    zones: some(draft.zones),
    hours: draft.windows === null ? null : written(draft.windows),
    group: spanWritten(draft.group) === '10s' ? null : spanWritten(draft.group),
    most: draft.most === 12 ? null : draft.most,
    per: spanWritten(draft.per) === '1h' ? null : spanWritten(draft.per),
    repeat: draft.repeat === null ? null : spanWritten(draft.repeat),
    escalate: some(draft.escalate.map((step) => ({ after: spanWritten(step.after), to: [...step.to] }))),
    ends: draft.ends === 'usual' ? null : draft.ends === 'yes',
    urgent: draft.urgent ? true : null,
  }
}

/** Only what is another than before, so that the rest of the file stays as somebody wrote it. before: null of a new one, which says no more than it has to. */
export function rulePatch(before: RuleDraft | null, draft: RuleDraft): Record<string, unknown> {
  return changes(before === null ? null : ruleWritten(before), ruleWritten(draft))
}

export function changes(before: Record<string, unknown> | null, now: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(now).filter(([key, value]) => (before === null ? value !== null : JSON.stringify(before[key]) !== JSON.stringify(value))))
}

/** Why a rule cannot be saved yet: a key of `notify.form`; '' where it can. */
export function ruleLacks(draft: RuleDraft): '' | 'lacksKinds' | 'lacksTo' | 'lacksDays' | 'lacksStep' {
  if (!draft.kinds.length) return 'lacksKinds'
  if (!draft.to.length) return 'lacksTo'
  if (draft.windows?.some((window) => !window.days.some(Boolean))) return 'lacksDays'
  return draft.escalate.some((step) => !step.to.length) ? 'lacksStep' : ''
}

export interface Mail {
  server: string
  security: 'tls' | 'starttls' | 'none'
  port: string
  user: string
  password: string
  from: string
  to: string
}

export const PORTS = { tls: 465, starttls: 587, none: 25 } as const

/** The address by which Apprise sends mail: the login among its parameters, since a user is often a mail address itself. */
export function mailAddress(mail: Mail): string {
  const port = mail.port.trim() || String(PORTS[mail.security])
  const to = mail.to.split(/[,;\s]+/).filter(Boolean)
  const said: [string, string][] = [
    ...(mail.security === 'none' ? [] : [['mode', mail.security === 'tls' ? 'ssl' : 'starttls'] as [string, string]]),
    ...(mail.user.trim() ? [['user', mail.user.trim()] as [string, string], ['pass', mail.password] as [string, string]] : []),
    ['from', mail.from.trim() || mail.user.trim()],
    ['to', to.join(',')],
  ]
  return `${mail.security === 'none' ? 'mailto' : 'mailtos'}://${mail.server.trim()}:${port}?${said.map(([key, value]) => `${key}=${encodeURIComponent(value)}`).join('&')}`
}

/** Rules and people that name it: it cannot go before they do without. */
export function usedBy(name: string, rules: readonly Rule[], people: Readonly<Record<string, unknown>>): { rules: string[]; people: string[] } {
  const names = (block: unknown): boolean => Array.isArray((block as { channels?: unknown } | null)?.channels) && (block as { channels: unknown[] }).channels.includes(name)
  return {
    rules: rules.filter((rule) => rule.to.includes(name) || rule.escalate.some((step) => step.to.includes(name))).map((rule) => rule.name),
    people: Object.entries(people).filter(([, block]) => names(block)).map(([person]) => person),
  }
}

/** Rules as the settings say them, where they name none yet: else what is built in would go with the first one that is made. */
export function withBuiltIn(given: unknown, rules: readonly Rule[]): Record<string, unknown> {
  if (given !== undefined && given !== null) return {}
  return Object.fromEntries(rules.map((rule) => [rule.name, rulePatch(null, draftOf(rule))]))
}

/** 32 letters and digits that nobody guesses. */
export function freshSecret(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (each) => each.toString(16).padStart(2, '0')).join('')
}

export interface BrokerDraft {
  host: string
  port: string
  user: string
  tls: boolean
  ca: string
  cert: string
  key: string
  prefix: string
  /** Whether cameras are announced to Home Assistant, and below which prefix it listens. */
  announced: boolean
  discovery: string
  pictures: boolean
  commands: boolean
}

export const BROKER_PORTS = { plain: 1883, tls: 8883 } as const

export function brokerOf(block: Readonly<Record<string, unknown>>): BrokerDraft {
  const text = (key: string): string => (typeof block[key] === 'string' || typeof block[key] === 'number' ? String(block[key]) : '')
  const announced = block.discovery !== false && block.discovery !== 'off'
  return {
    host: text('host'), port: text('port'), user: text('user'), tls: block.tls === true, ca: text('ca'), cert: text('cert'), key: text('key'),
    prefix: text('prefix') || 'longwatch', announced, discovery: (announced && text('discovery')) || 'homeassistant',
    pictures: block.pictures !== false, commands: block.commands === true,
  }
}

function brokerWritten(draft: BrokerDraft): Record<string, unknown> {
  const file = (path: string): string | null => (draft.tls && path.trim()) || null
  const unless = (usual: string, said: string): string | null => (said === usual || !said ? null : said)
  return {
    host: draft.host.trim(),
    port: draft.port.trim() ? Number(draft.port) : null,
    user: draft.user.trim() || null,
    tls: draft.tls || null,
    ca: file(draft.ca),
    cert: file(draft.cert),
    key: file(draft.key),
    prefix: unless('longwatch', draft.prefix.trim()),
    discovery: draft.announced ? unless('homeassistant', draft.discovery.trim()) : 'off',
    pictures: draft.pictures ? null : false,
    commands: draft.commands || null,
  }
}

/** before: as the settings have it; null of a broker that is new. password: '' where none was typed: the one that is there stays, unless nobody is named any more. */
export function brokerPatch(before: BrokerDraft | null, draft: BrokerDraft, password: string): Record<string, unknown> {
  const patch = changes(before === null ? null : brokerWritten(before), brokerWritten(draft))
  if (password) patch.password = password
  else if (before?.user && !draft.user.trim()) patch.password = null
  return patch
}

/** A length of time as the settings write it; null where they say it otherwise than a form can. */
export function spanRead(said: unknown): Span | null {
  const match = /^\s*(\d{1,7})\s*([smhd])\s*$/.exec(typeof said === 'string' ? said : '')
  return match ? { n: Number(match[1]), unit: match[2] as Unit } : null
}
