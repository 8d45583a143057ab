/** What is known of a camera's time: items that tile an interval, and how newer answers replace older ones. No I/O. */

import type { Evidence, TimelineItemWire } from '../api/types'

export interface Item {
  fromMs: number
  toMs: number
  state: 'recorded' | 'gap' | 'pending'
  cause: string | null
  evidence: Evidence | null
  held: string
}

export function itemOf(wire: TimelineItemWire): Item {
  return {
    fromMs: Date.parse(wire.from),
    toMs: Date.parse(wire.to),
    state: wire.state,
    cause: wire.cause ?? null,
    evidence: wire.evidence ?? null,
    held: wire.held ?? 'here',
  }
}

/** Index of the first item that ends after the moment; items.length where none does. */
export function indexAt(items: readonly Item[], ms: number): number {
  let low = 0
  let high = items.length
  while (low < high) {
    const middle = (low + high) >> 1
    if ((items[middle] as Item).toMs > ms) high = middle
    else low = middle + 1
  }
  return low
}

export function itemAt(items: readonly Item[], ms: number): Item | null {
  const item = items[indexAt(items, ms)]
  return item && item.fromMs <= ms ? item : null
}

function same(a: Item, b: Item): boolean {
  return (
    a.state === b.state &&
    a.cause === b.cause &&
    a.held === b.held &&
    // Two gaps of one cause are two facts, unless a refetch only cut one in two.
    (a.state !== 'gap' || JSON.stringify(a.evidence) === JSON.stringify(b.evidence))
  )
}

/** The known items with what lies in [fromMs, toMs) replaced by the fresh ones; neighbours that say the same are joined. */
export function splice(items: readonly Item[], fresh: readonly Item[], fromMs: number, toMs: number): Item[] {
  const merged: Item[] = []
  const put = (item: Item): void => {
    if (item.toMs <= item.fromMs) return
    const last = merged.at(-1)
    if (last && Math.abs(last.toMs - item.fromMs) < 1 && same(last, item)) last.toMs = item.toMs
    else merged.push({ ...item })
  }
  for (const item of items) if (item.fromMs < fromMs) put({ ...item, toMs: Math.min(item.toMs, fromMs) })
  for (const item of fresh) put(item)
  for (const item of items) if (item.toMs > toMs) put({ ...item, fromMs: Math.max(item.fromMs, toMs) })
  return merged
}

/** The first recorded stretch that ends after the moment. */
export function recordedFrom(items: readonly Item[], ms: number): Item | null {
  for (let i = indexAt(items, ms); i < items.length; i++) {
    const item = items[i] as Item
    if (playable(item)) return item
  }
  return null
}

/** Recorded, and here: neither removed nor still at a post. */
function playable(item: Item): boolean {
  return item.state === 'recorded' && item.held !== 'gone' && item.held !== 'post'
}

/** The last recorded stretch that begins before the moment. */
export function recordedBefore(items: readonly Item[], ms: number): Item | null {
  for (let i = Math.min(indexAt(items, ms), items.length - 1); i >= 0; i--) {
    const item = items[i] as Item
    if (playable(item) && item.fromMs < ms) return item
  }
  return null
}
