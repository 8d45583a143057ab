/** The stretch of time a timeline shows: between a second and a year (and a little), always with `fromMs < toMs`. */

export const MIN_SPAN_MS = 1_000
export const MAX_SPAN_MS = 400 * 86_400_000

export interface View {
  fromMs: number
  toMs: number
}

export function clampView(view: View, nowMs: number): View {
  const span = Math.min(MAX_SPAN_MS, Math.max(MIN_SPAN_MS, view.toMs - view.fromMs))
  const middle = (view.fromMs + view.toMs) / 2
  // Some future may be seen, so that "now" need not stick to the edge, but never only future.
  const to = Math.min(middle + span / 2, nowMs + span * 0.5)
  return { fromMs: to - span, toMs: to }
}

/** Zoomed by the factor (< 1 is closer) with the moment kept where it is on the screen. */
export function zoomed(view: View, factor: number, aroundMs: number): View {
  const span = Math.min(MAX_SPAN_MS, Math.max(MIN_SPAN_MS, (view.toMs - view.fromMs) * factor))
  const share = (aroundMs - view.fromMs) / (view.toMs - view.fromMs)
  const from = aroundMs - share * span
  return { fromMs: from, toMs: from + span }
}

export function panned(view: View, byMs: number): View {
  return { fromMs: view.fromMs + byMs, toMs: view.toMs + byMs }
}
