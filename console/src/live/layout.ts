/**
 * What a wall looks like: which cameras, in which order, in which grid. Values in, values out; the page keeps them
 * (wall.svelte.ts) and draws them (Wall.svelte).
 */

/** fit: as large as there is room. focus: one large, the others small around it. fixed: so many columns and rows. */
export interface Grid {
  kind: 'fit' | 'focus' | 'fixed'
  columns: number
  rows: number
}

export interface Layout {
  id: string
  name: string
  grid: Grid
  /** Ids of cameras as they were arranged; those that are not in it follow in the order of the settings. */
  order: readonly string[]
  hidden: readonly string[]
}

export interface WallChoice {
  /** Of this form; a newer one is not read. */
  v: 1
  current: string
  layouts: readonly Layout[]
  /** Seconds that a wall screen shows each layout; 0: it stays with one. */
  cycleS: number
}

/** Where the tiles stand, in CSS pixels. */
export interface Shape {
  columns: number
  /** How many rows and columns the first tile spans; 1 but in `focus`. */
  large: number
  tileWidth: number
  tileHeight: number
  /** How many tiles are in sight without scrolling. */
  fits: number
}

export const MOST_SIDE = 6
export const MOST_LAYOUTS = 24
export const CYCLES = [0, 10, 20, 30, 60, 300] as const
const MOST_NAME = 60
const LEAST_LEGIBLE = 190
const NARROW = 560

export function first(name: string): Layout {
  return { id: 'first', name, grid: { kind: 'fit', columns: 3, rows: 2 }, order: [], hidden: [] }
}

/** What was kept, as far as it can be read; null where it is nothing of ours. */
export function readable(value: unknown): WallChoice | null {
  if (!isRecord(value) || value.v !== 1 || !Array.isArray(value.layouts)) return null
  const layouts = value.layouts.slice(0, MOST_LAYOUTS).map(layoutOf).filter((layout) => layout !== null)
  const distinct = layouts.filter((layout, n) => layouts.findIndex((other) => other.id === layout.id) === n)
  if (!distinct.length) return null
  const current = distinct.some((layout) => layout.id === value.current) ? String(value.current) : (distinct[0]?.id ?? '')
  const cycleS = CYCLES.find((seconds) => seconds === value.cycleS) ?? 0
  return { v: 1, current, layouts: distinct, cycleS }
}

function layoutOf(value: unknown): Layout | null {
  if (!isRecord(value) || typeof value.id !== 'string' || typeof value.name !== 'string' || !isRecord(value.grid)) return null
  const { kind, columns, rows } = value.grid
  if (kind !== 'fit' && kind !== 'focus' && kind !== 'fixed') return null
  return {
    id: value.id,
    name: nameOf(value.name),
    grid: { kind, columns: side(columns), rows: side(rows) },
    order: texts(value.order),
    hidden: texts(value.hidden),
  }
}

export function nameOf(text: string): string {
  return text.trim().slice(0, MOST_NAME)
}

function side(value: unknown): number {
  return typeof value === 'number' && Number.isInteger(value) ? Math.max(1, Math.min(MOST_SIDE, value)) : 2
}

function texts(value: unknown): string[] {
  return Array.isArray(value) ? [...new Set(value.filter((one): one is string => typeof one === 'string'))] : []
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** The cameras of a layout, in order. known: ids in the order of the settings. A new camera is never hidden. */
export function shown(layout: Layout, known: readonly string[]): string[] {
  const placed = layout.order.filter((id) => known.includes(id))
  const rest = known.filter((id) => !layout.order.includes(id))
  return [...placed, ...rest].filter((id) => !layout.hidden.includes(id))
}

/** The same with one camera at another place; hidden cameras keep theirs. */
export function moved(layout: Layout, known: readonly string[], id: string, to: number): Layout {
  const order = shown(layout, known)
  const from = order.indexOf(id)
  if (from < 0) return layout
  order.splice(from, 1)
  order.splice(Math.max(0, Math.min(order.length, to)), 0, id)
  const aside = known.filter((one) => !order.includes(one))
  return { ...layout, order: [...order, ...aside] }
}

/** Where an arrow key takes a tile: along its row, or to the row above or below. */
export function stepped(index: number, count: number, columns: number, key: string): number {
  const by = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns, ArrowDown: columns }[key] ?? 0
  return Math.max(0, Math.min(count - 1, index + by))
}

/** The next layout of the cycle. */
export function following(choice: WallChoice): string {
  const at = choice.layouts.findIndex((layout) => layout.id === choice.current)
  return choice.layouts[(at + 1) % choice.layouts.length]?.id ?? choice.current
}

/** How large the tiles are. foot: height below each picture; gap: between tiles; all in CSS pixels. */
export function shapeOf(grid: Grid, count: number, width: number, height: number, foot: number, gap: number): Shape {
  if (count === 0 || width <= 0) return { columns: 1, large: 1, tileWidth: Math.max(1, width), tileHeight: 1, fits: 0 }
  if (grid.kind === 'fixed') return fixed(width < NARROW ? narrow(grid) : grid, width, height, foot, gap)
  if (grid.kind === 'focus' && count > 1 && width >= NARROW) return focus(count, width, height, foot, gap)
  return fit(count, width, height, foot, gap)
}

/** A phone held upright has no room for more than two beside each other. */
function narrow(grid: Grid): Grid {
  return { ...grid, columns: Math.min(2, grid.columns) }
}

function tile(columns: number, rows: number, width: number, height: number, foot: number, gap: number): number {
  const byWidth = (width - gap * (columns - 1)) / columns
  const byHeight = (((height - gap * (rows - 1)) / rows - foot) * 16) / 9
  return Math.floor(Math.min(byWidth, byHeight))
}

function made(columns: number, large: number, tileWidth: number, height: number, foot: number, gap: number): Shape {
  const wide = Math.max(1, tileWidth)
  const tileHeight = Math.floor((wide * 9) / 16) + foot
  const rows = Math.max(1, Math.floor((height + gap + 1) / (tileHeight + gap)))
  return { columns, large, tileWidth: wide, tileHeight, fits: Math.max(1, rows * columns - large * large + 1) }
}

function fixed({ columns, rows }: Grid, width: number, height: number, foot: number, gap: number): Shape {
  const wide = width < NARROW ? Math.floor((width - gap * (columns - 1)) / columns) : tile(columns, rows, width, height, foot, gap)
  return made(columns, 1, wide, height, foot, gap)
}

/** n by n cells of which the first takes (n - 1) by (n - 1): 2n - 1 stand around it. */
function focus(count: number, width: number, height: number, foot: number, gap: number): Shape {
  let n = 3
  while (n < MOST_SIDE && 2 * n < count) n++
  return made(n, n - 1, tile(n, n, width, height, foot, gap), height, foot, gap)
}

function fit(count: number, width: number, height: number, foot: number, gap: number): Shape {
  if (width < NARROW) return made(1, 1, width, height, foot, gap)
  let columns = 1
  let best = 0
  for (let tried = 1; tried <= count; tried++) {
    const size = tile(tried, Math.ceil(count / tried), width, height, foot, gap)
    if (size > best) [best, columns] = [size, tried]
  }
  // Too many to fit: they stay legible, and the wall scrolls.
  if (best < LEAST_LEGIBLE) {
    columns = Math.max(1, Math.floor((width + gap) / (LEAST_LEGIBLE + gap)))
    best = Math.floor((width - gap * (columns - 1)) / columns)
  }
  return made(columns, 1, best, height, foot, gap)
}
