/** What a disk holds: days of so many cameras. Decimal megabits and bytes, as cameras and disks are sold. */

const DAY_S = 86_400

export function bytesPerDay(mbits: number): number {
  return (mbits * 1e6 * DAY_S) / 8
}

/** Days until the disk is full of that many cameras at that rate; Infinity for none. free: what may be filled. */
export function days(freeBytes: number, cameras: number, mbits: number): number {
  const each = bytesPerDay(mbits) * cameras
  return each > 0 ? freeBytes / each : Infinity
}

/** "14d" or "36h" of the settings in days; null where it is none. */
export function daysOf(duration: unknown): number | null {
  const match = /^(\d+(?:\.\d+)?)\s*([smhdw])$/.exec(String(duration).trim())
  if (!match) return null
  const unit = { s: 1 / DAY_S, m: 60 / DAY_S, h: 1 / 24, d: 1, w: 7 }[match[2] as 's' | 'm' | 'h' | 'd' | 'w']
  return Number(match[1]) * unit
}
