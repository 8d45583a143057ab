/** Times for people: in the post's own zone, 24 hours, with the zone named. Milliseconds since 1970 in, text out. */

import { number, t, tag } from './i18n'

const formats = new Map<string, Intl.DateTimeFormat>()

function format(zone: string, options: Intl.DateTimeFormatOptions): Intl.DateTimeFormat {
  const key = `${tag()} ${zone}${JSON.stringify(options)}`
  let known = formats.get(key)
  if (!known) {
    known = new Intl.DateTimeFormat(tag(), { timeZone: zone, hourCycle: 'h23', ...options })
    formats.set(key, known)
  }
  return known
}

/** The zone if this browser knows it, else UTC: a wrong zone is worse than a foreign one. */
export function usableZone(zone: string | undefined): string {
  const wanted = zone ?? Intl.DateTimeFormat().resolvedOptions().timeZone
  try {
    format(wanted, {})
    return wanted
  } catch {
    return 'UTC'
  }
}

export function clock(ms: number, zone: string, seconds = true): string {
  return format(zone, { hour: '2-digit', minute: '2-digit', ...(seconds ? { second: '2-digit' } : {}) }).format(ms)
}

/** With tenths, as a playhead needs it. */
export function clockTenths(ms: number, zone: string): string {
  return `${clock(ms, zone)}.${Math.floor((((ms % 1000) + 1000) % 1000) / 100)}`
}

export function day(ms: number, zone: string): string {
  return format(zone, { weekday: 'short', day: 'numeric', month: 'short' }).format(ms)
}

export function dayShort(ms: number, zone: string): string {
  return format(zone, { day: 'numeric', month: 'short' }).format(ms)
}

/** "21 Nov 2026". */
export function fullDay(ms: number, zone: string): string {
  return format(zone, { day: 'numeric', month: 'short', year: 'numeric' }).format(ms)
}

/** "Nov 2026", for an axis of months. */
export function month(ms: number, zone: string): string {
  return format(zone, { month: 'short', year: 'numeric' }).format(ms)
}

/** The day too, unless it is today's in that zone. */
export function moment(ms: number, zone: string, nowMs: number, seconds = true): string {
  const isToday = day(ms, zone) === day(nowMs, zone) && Math.abs(nowMs - ms) < 86_400_000
  return isToday ? clock(ms, zone, seconds) : `${dayShort(ms, zone)}, ${clock(ms, zone, seconds)}`
}

/** "CET", "GMT+5:30": as the locale's data name it at that moment. */
export function zoneName(ms: number, zone: string): string {
  const part = format(zone, { timeZoneName: 'short', hour: '2-digit' })
    .formatToParts(ms)
    .find((p) => p.type === 'timeZoneName')
  return part?.value ?? zone
}

/** How far the zone is ahead of UTC at that moment, in milliseconds. */
export function offsetMs(ms: number, zone: string): number {
  const parts = format(zone, {
    year: 'numeric', month: '2-digit', day: '2-digit', hour: '2-digit', minute: '2-digit', second: '2-digit',
  }).formatToParts(ms)
  const value = (type: string): number => Number(parts.find((p) => p.type === type)?.value ?? 0)
  const local = Date.UTC(value('year'), value('month') - 1, value('day'), value('hour'), value('minute'), value('second'))
  return local - Math.floor(ms / 1000) * 1000
}

/** When the day began that this moment is of, in that zone. */
export function midnight(ms: number, zone: string): number {
  const offset = offsetMs(ms, zone)
  const guess = Math.floor((ms + offset) / 86_400_000) * 86_400_000 - offset
  // Where the clocks change on that day, midnight had the other offset.
  return guess + offset - offsetMs(guess, zone)
}

/** "2026-11-20" as the moment when that day began, in that zone. */
export function midnightOf(date: string, zone: string): number {
  return midnight(Date.parse(`${date}T12:00:00Z`) - offsetMs(Date.parse(`${date}T12:00:00Z`), zone), zone)
}

/** "0.4 s", "14 s", "3 min 7 s", "2 h 5 min", "4 d 3 h": the two largest units, never more. */
export function duration(ms: number): string {
  if (ms < 0) ms = 0
  if (ms < 9_950) return t('common.s', { n: number(ms / 1000, { minimumFractionDigits: 1, maximumFractionDigits: 1 }) })
  const s = Math.round(ms / 1000)
  const pair = (big: number, bigUnit: string, small: number, smallUnit: string): string =>
    small ? `${t(`common.${bigUnit}`, { n: big })} ${t(`common.${smallUnit}`, { n: small })}` : t(`common.${bigUnit}`, { n: big })
  if (s < 60) return t('common.s', { n: s })
  if (s < 3600) return pair(Math.floor(s / 60), 'min', s % 60, 's')
  if (s < 86_400) return pair(Math.floor(s / 3600), 'h', Math.floor((s % 3600) / 60), 'min')
  return pair(Math.floor(s / 86_400), 'd', Math.floor((s % 86_400) / 3600), 'h')
}

/** Whole seconds, for ages that tick. */
export function age(ms: number): string {
  return ms < 60_000 ? t('common.s', { n: Math.max(0, Math.floor(ms / 1000)) }) : duration(ms)
}
