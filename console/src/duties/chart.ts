/** Hours of each day as stacked bars: what was delivered, and above it what is missing. Drawn by uPlot, read on demand. */

import uPlot from 'uplot'
import 'uplot/dist/uPlot.min.css'
import type { Period } from '../api/condition'
import { number } from '../i18n'

const HOUR_US = 3_600_000_000
const HEIGHT = 220

export interface Words {
  hours: string
  delivered: string
  missed: string
}

/** Draw into `at`; what comes back takes it away again. */
export function chart(at: HTMLElement, days: readonly Period[], words: Words): () => void {
  const [text, line, delivered, missed] = ['--muted', '--line', '--recorded', '--absent'].map((name) => colour(at, name)) as [string, string, string, string]
  const xs = days.map((_, n) => n)
  const done = days.map((day) => day.delivered_us / HOUR_US)
  const whole = days.map((day) => (day.delivered_us + day.missed_us) / HOUR_US)
  const bars = uPlot.paths.bars?.({ size: [0.7, 48] })
  const series = (label: string, fill: string): uPlot.Series => ({
    label, fill, stroke: fill, width: 0, points: { show: false }, ...(bars ? { paths: bars } : {}),
  })
  const axis = { stroke: text, grid: { stroke: line, width: 1 }, ticks: { show: false }, font: '12px system-ui, sans-serif' }
  const plot = new uPlot(
    {
      width: at.clientWidth,
      height: HEIGHT,
      legend: { show: false },
      cursor: { show: false },
      scales: { x: { time: false, range: [-0.6, days.length - 0.4] }, y: { range: (_, __, most) => [0, Math.max(1, most) * 1.05] } },
      axes: [
        { ...axis, grid: { show: false }, splits: (_, __, ___, ____, _____, space) => every(days.length, space ?? 60, at.clientWidth), values: (_, at_) => at_.map((n) => short(days[n]?.name ?? '')) },
        { ...axis, size: 44, values: (_, at_) => at_.map((n) => number(n)) },
      ],
      // The taller bars first: what is delivered is drawn over them.
      series: [{}, series(words.missed, missed), series(words.delivered, delivered)],
    },
    [xs, whole, done],
    at,
  )
  const sized = new ResizeObserver(() => plot.setSize({ width: at.clientWidth, height: HEIGHT }))
  sized.observe(at)
  return () => {
    sized.disconnect()
    plot.destroy()
  }
}

/** A colour of the style sheet as a canvas understands it: `light-dark()` is resolved by asking what it comes to. */
function colour(at: HTMLElement, name: string): string {
  const probe = document.createElement('i')
  probe.style.color = `var(${name})`
  at.append(probe)
  const said = getComputedStyle(probe).color
  probe.remove()
  return said
}

/** Days that get a label: as many as there is room for. */
function every(count: number, _space: number, width: number): number[] {
  const step = Math.max(1, Math.ceil(count / Math.max(1, Math.floor(width / 64))))
  return Array.from({ length: Math.ceil(count / step) }, (_, n) => n * step)
}

/** "2026-11-20" as "11-20". */
function short(name: string): string {
  return name.length === 10 ? name.slice(5) : name
}
