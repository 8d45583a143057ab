/** Events as a list shows them: one thing, one card. Pure. */

import type { SeenEvent } from '../api/events'

/** Motion is said some moments before its class is known, and goes on while its camera calms down. */
const BEFORE_MS = 5_000
const AFTER_MS = 15_000

export interface Card {
  event: SeenEvent
  /** The motion of the same thing: named on the card, reviewed with it. */
  motion: SeenEvent | null
}

const end = (event: SeenEvent): number => (event.to === null ? Infinity : Date.parse(event.to))

/** Motion of a camera that is explained by what was recognised there, beginning and end: it stands on the card of the first of these. All else is a card of its own.
 * held: motion by the object that it stands with, where it is not to be asked anew. */
export function cards(events: readonly SeenEvent[], held: ReadonlyMap<string, string> | null = null): Card[] {
  if (held) {
    const by = new Map(events.map((event) => [event.id, event]))
    const away = new Set([...held].filter(([object, motion]) => by.has(object) && by.has(motion)).map(([, motion]) => motion))
    return events.filter((event) => !away.has(event.id)).map((event) => ({ event, motion: by.get(held.get(event.id) ?? '') ?? null }))
  }
  const objects = events.filter((event) => event.kind.startsWith('object.'))
  const motionOf = new Map<string, SeenEvent>()
  const folded = new Set<string>()
  for (const event of events) {
    if (event.kind !== 'motion') continue
    const from = Date.parse(event.from)
    const within = objects.filter((each) => each.camera === event.camera && Date.parse(each.from) <= end(event) && end(each) >= from)
    if (within.length === 0) continue
    const first = within.reduce((one, other) => (Date.parse(other.from) < Date.parse(one.from) ? other : one))
    const last = Math.max(...within.map(end))
    const begins = Date.parse(first.from) - from <= BEFORE_MS
    const over = last === Infinity || (event.to !== null && end(event) - last <= AFTER_MS)
    if (!begins || !over || motionOf.has(first.id)) continue
    motionOf.set(first.id, event)
    folded.add(event.id)
  }
  return events.filter((event) => !folded.has(event.id)).map((event) => ({ event, motion: motionOf.get(event.id) ?? null }))
}

/** A list that was read anew while a film plays in it: what is there stays where it is, as it is now; what is new waits. */
export function kept(shown: readonly SeenEvent[], found: readonly SeenEvent[]): { items: SeenEvent[]; waiting: number } {
  const now = new Map(found.map((event) => [event.id, event]))
  const here = new Set(shown.map((event) => event.id))
  const newest = Math.max(...shown.map((event) => Date.parse(event.from)), 0)
  return {
    items: shown.map((event) => now.get(event.id) ?? event),
    waiting: found.filter((event) => !here.has(event.id) && Date.parse(event.from) >= newest).length,
  }
}
