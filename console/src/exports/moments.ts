/** Moments as a form has them: local time of the post's zone in a field of the browser, milliseconds since 1970 elsewhere. */

import { fromLocal } from '../review/timesearch'
import { offsetMs } from '../time'

/** "2026-11-20T20:15:00", as a field `datetime-local` holds it. */
export function toField(ms: number, zone: string): string {
  return new Date(ms + offsetMs(ms, zone)).toISOString().slice(0, 19)
}

/** null where the field holds no time. */
export function fromField(text: string, zone: string): number | null {
  const local = Date.parse(`${text.length === 16 ? `${text}:00` : text}Z`)
  return Number.isNaN(local) ? null : fromLocal(local, zone)
}

/** How far apart the pictures of a film of so many seconds lie, at 25 a second. */
export function everyS(spanMs: number, filmS: number): number {
  return Math.max(0.04, Math.round((spanMs / 1000 / (filmS * 25)) * 100) / 100)
}
