/** Windows of a week as the settings say them, and as a form shows them. */

export const DAYS = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'] as const

export interface Window {
  /** By day, Monday first. */
  days: boolean[]
  from: string
  to: string
}

/** `mon-fri`, `sat`, `mon,wed`, `daily`, or a list of these; what cannot be read is no day. */
function daysOf(said: unknown): boolean[] {
  const found = DAYS.map(() => false)
  const parts = Array.isArray(said) ? said.map(String) : String(said ?? 'daily').split(',')
  for (const part of parts) {
    const [first = '', last = first] = part.trim().toLowerCase().split('-')
    if (first === 'daily') found.fill(true)
    const [start, end] = [DAYS.indexOf(first as (typeof DAYS)[number]), DAYS.indexOf(last as (typeof DAYS)[number])]
    if (start < 0 || end < 0) continue
    for (let day = start; day <= (end < start ? end + 7 : end); day += 1) found[day % 7] = true
  }
  return found
}

/** Null: always. */
export function windowsOf(schedule: unknown): Window[] | null {
  if (!Array.isArray(schedule)) return null
  return schedule.map((item: Record<string, unknown>) => ({
    days: daysOf(item.days),
    from: String(item.from ?? '00:00').padStart(5, '0'),
    to: String(item.to ?? '24:00').padStart(5, '0'),
  }))
}

/** As a person writes them: a run of days as `mon-fri`, else their list. Midnight as an end is 24:00. */
export function written(windows: Window[]): { days: string | string[]; from: string; to: string }[] {
  return windows.map((window) => ({
    days: daysWritten(window.days),
    from: window.from,
    to: window.to === '00:00' ? '24:00' : window.to,
  }))
}

function daysWritten(days: boolean[]): string | string[] {
  const named = DAYS.filter((_, n) => days[n])
  if (named.length === 7) return 'daily'
  const [first, last] = [days.indexOf(true), days.lastIndexOf(true)]
  if (named.length > 2 && last - first + 1 === named.length) return `${DAYS[first]}-${DAYS[last]}`
  return named.length === 1 ? (named[0] as string) : [...named]
}
