import assert from 'node:assert/strict'
import { test } from 'node:test'
import { use } from '../src/i18n'
import { gathered } from '../src/i18n/gathered'
import common from '../src/i18n/en/common.json'
import * as time from '../src/time'
import { stepFor, ticks } from '../src/timeline/ticks'
import { clampView, MAX_SPAN_MS, MIN_SPAN_MS, zoomed } from '../src/timeline/view'

const HOUR = 3_600_000
const OSLO = 'Europe/Oslo'

use('en', gathered({ './common.json': common }))

test('marks stay at round local hours on the day the clocks go back', () => {
  const from = Date.parse('2026-10-24T18:00:00Z')
  const marks = ticks(from, from + 30 * HOUR, 6 * HOUR, OSLO).major.map((tick) => time.clock(tick.ms, OSLO, false))
  assert.deepEqual(marks, ['00:00', '06:00', '12:00', '18:00', '00:00'])
})

test('marks stay at round local hours on the day the clocks go forward', () => {
  const from = Date.parse('2026-03-28T18:00:00Z')
  const marks = ticks(from, from + 30 * HOUR, 6 * HOUR, OSLO).major.map((tick) => time.clock(tick.ms, OSLO, false))
  assert.deepEqual(marks, ['00:00', '06:00', '12:00', '18:00', '00:00'])
})

test('a midnight is marked as such in a zone of half hours', () => {
  const from = Date.parse('2026-01-01T12:00:00Z')
  const found = ticks(from, from + 12 * HOUR, HOUR, 'Asia/Kolkata').major.filter((tick) => tick.midnight)
  assert.deepEqual(found.map((tick) => new Date(tick.ms).toISOString()), ['2026-01-01T18:30:00.000Z'])
})

test('steps give labels their room', () => {
  for (const span of [60_000, HOUR, 24 * HOUR, 31 * 24 * HOUR]) assert.ok(1_000 * (stepFor(span, 1_000, 74) / span) >= 74)
})

test('zooming keeps the moment under the pointer where it is', () => {
  const view = { fromMs: 0, toMs: 10 * HOUR }
  const closer = zoomed(view, 0.5, 2.5 * HOUR)
  assert.equal((2.5 * HOUR - closer.fromMs) / (closer.toMs - closer.fromMs), 0.25)
})

test('a view is never shorter than a second, longer than a year and a little, or only future', () => {
  const now = 1_000 * HOUR
  assert.equal(span(clampView({ fromMs: now, toMs: now + 1 }, now)), MIN_SPAN_MS)
  assert.equal(span(clampView({ fromMs: 0, toMs: now * 10 }, now)), MAX_SPAN_MS)
  assert.ok(clampView({ fromMs: now + 5 * HOUR, toMs: now + 6 * HOUR }, now).fromMs < now)
})

test('durations name at most two units', () => {
  assert.deepEqual(
    [400, 9_960, 59_400, 187_000, 7_500_000, 356_400_000].map(time.duration),
    ['0.4 s', '10 s', '59 s', '3 min 7 s', '2 h 5 min', '4 d 3 h'],
  )
})

test('an unknown zone becomes UTC rather than another one', () => {
  assert.equal(time.usableZone('Middle/Earth'), 'UTC')
})

function span(view: { fromMs: number; toMs: number }): number {
  return view.toMs - view.fromMs
}
