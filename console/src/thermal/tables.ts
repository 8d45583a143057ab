/** Palettes for the grey of thermal cameras: tables, and what may be kept of a choice. */

export const PALETTES = ['sent', 'black', 'iron', 'rainbow', 'arctic'] as const
export type Palette = (typeof PALETTES)[number]

/** From cold to hot, evenly spaced: red, green and blue of each step, 0 to 1. */
export const STEPS: Readonly<Record<Exclude<Palette, 'sent'>, readonly (readonly [number, number, number])[]>> = {
  black: [[1, 1, 1], [0, 0, 0]],
  iron: [[0, 0, 0.04], [0.23, 0, 0.5], [0.62, 0.05, 0.6], [0.9, 0.3, 0.2], [0.99, 0.65, 0], [1, 0.92, 0.45], [1, 1, 0.97]],
  rainbow: [[0, 0, 0.3], [0, 0.25, 0.9], [0, 0.75, 0.75], [0.2, 0.85, 0.15], [0.95, 0.9, 0.1], [0.95, 0.35, 0.05], [1, 0.95, 0.95]],
  arctic: [[0.02, 0.06, 0.3], [0.1, 0.4, 0.75], [0.45, 0.75, 0.9], [0.6, 0.6, 0.6], [0.85, 0.6, 0.25], [1, 0.85, 0.3], [1, 1, 0.9]],
}

export function readable(value: unknown): Record<string, Palette> {
  const said = value && typeof value === 'object' ? Object.entries(value as Record<string, unknown>) : []
  return Object.fromEntries(said.filter(([, name]) => (PALETTES as readonly unknown[]).includes(name))) as Record<string, Palette>
}

/** One channel of a palette, as `tableValues` of an feFunc wants it. */
export function table(name: Exclude<Palette, 'sent'>, channel: 0 | 1 | 2): string {
  return STEPS[name].map((step) => step[channel]).join(' ')
}
