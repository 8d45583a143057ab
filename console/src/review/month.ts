/** Days as `YYYY-MM-DD`, which belong to no zone, and the weeks of a month. No I/O. */

import { offsetMs } from '../time'

function utc(day: string): number {
  return Date.parse(`${day}T00:00:00Z`)
}

function text(ms: number): string {
  return new Date(ms).toISOString().slice(0, 10)
}

/** The local day of a moment. */
export function isoDay(ms: number, zone: string): string {
  return text(ms + offsetMs(ms, zone))
}

export function addDays(day: string, by: number): string {
  return text(utc(day) + by * 86_400_000)
}

/** The same day of another month, or that month's last. */
export function addMonths(day: string, by: number): string {
  const at = new Date(utc(day))
  const last = new Date(Date.UTC(at.getUTCFullYear(), at.getUTCMonth() + by + 1, 0)).getUTCDate()
  return text(Date.UTC(at.getUTCFullYear(), at.getUTCMonth() + by, Math.min(at.getUTCDate(), last)))
}

/** 0 is Sunday. Monday where the browser does not say. */
export function firstOfWeek(tag: string): number {
  const info = new Intl.Locale(tag) as Intl.Locale & { getWeekInfo?: () => { firstDay: number }; weekInfo?: { firstDay: number } }
  return (info.getWeekInfo?.().firstDay ?? info.weekInfo?.firstDay ?? 1) % 7
}

/** The weeks that hold the month, with the days of its neighbours at both ends. */
export function weeksOf(month: string, weekStart: number): string[][] {
  const first = `${month}-01`
  const lead = (new Date(utc(first)).getUTCDay() - weekStart + 7) % 7
  const end = addMonths(first, 1)
  const weeks: string[][] = []
  for (let day = addDays(first, -lead); day < end; day = addDays(day, 7)) weeks.push(Array.from({ length: 7 }, (_, n) => addDays(day, n)))
  return weeks
}

/** "Friday, 20 November 2026"; "November 2026"; or the weekday alone. */
export function dayName(day: string, tag: string, month = false, weekday?: 'long' | 'short'): string {
  const options: Intl.DateTimeFormatOptions = weekday
    ? { weekday }
    : { year: 'numeric', month: 'long', ...(month ? {} : { weekday: 'long', day: 'numeric' }) }
  return new Intl.DateTimeFormat(tag, { timeZone: 'UTC', ...options }).format(utc(day))
}
