import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Movement } from '../src/api/detection'
import { colour, heatOf, level, places, rateAt, whereabouts, within } from '../src/masks/heat'

const COLUMNS = 64
const ROWS = 36

/** spots: column, row, seconds, hours; each also moves a little about it. */
function told(looked_s: number, looked_hours: number, spots: [number, number, number, number][]): Movement {
  const seconds = Array.from({ length: COLUMNS * ROWS }, () => 0)
  const hours = [...seconds]
  for (const [x, y, much, often] of spots) {
    for (const [dx, dy] of [[0, 0], [1, 0], [0, 1], [1, 1]] as const) {
      seconds[x + dx + COLUMNS * (y + dy)] = dx || dy ? much * 0.6 : much
      hours[x + dx + COLUMNS * (y + dy)] = often
    }
    seconds[x + 2 + COLUMNS * y] = much * 0.2
  }
  return { camera: 'gate', span_hours: 24, doing: 'looking', columns: COLUMNS, rows: ROWS, looked_s, looked_hours, seconds, hours }
}

test('places come with the busiest first, each once, with how often and where', () => {
  const moved = told(86_400, 24, [[4, 30, 2_400, 23], [40, 3, 7_200, 9]])
  const heat = heatOf(moved)
  assert.equal(heat.most, 300)
  const found = places(heat, moved)
  assert.deepEqual(found.map((place) => [place.rate, place.hours, place.always, whereabouts(place.x, place.y)]), [
    [300, 9, false, 'masks.at.top_centre'], [100, 23, true, 'masks.at.bottom_left'],
  ])
  assert.deepEqual(found[1]!.polygon, [[0, 0.7811], [0.16, 0.7811], [0.16, 0.9411], [0, 0.9411]])
  assert.equal(within(heat, found[1]!.polygon), 100)
  assert.equal(within(heat, [[0.5, 0.5], [0.6, 0.5], [0.6, 0.6]]), 0)
})

test('a number stands where its movement lies, not in the middle of the box about it', () => {
  const spots: [number, number, number, number][] = []
  for (let x = 0; x < 60; x += 1) spots.push([x, 30, 3_600, 20])
  for (let y = 0; y < 30; y += 1) spots.push([0, y, 3_600, 20])
  const moved = told(86_400, 24, spots)
  const [corner] = places(heatOf(moved), moved)
  assert.ok(corner!.x < 0.4 && corner!.y > 0.55, `${corner!.x} ${corner!.y}`)
  const box = corner!.polygon.map(([x]) => x)
  assert.ok((Math.min(...box) + Math.max(...box)) / 2 > 0.45)
})

test('a few hours say nothing of always, and nothing of nowhere', () => {
  const few = told(7_200, 2, [[4, 30, 600, 2]])
  assert.equal(places(heatOf(few), few)[0]!.always, false)
  for (const none of [told(0, 0, []), told(3_600, 1, [[5, 5, 1, 1]]), { ...told(0, 0, []), columns: 0, rows: 0, seconds: [], hours: [] }]) {
    assert.deepEqual(places(heatOf(none), none), [])
  }
  assert.equal(heatOf(told(0, 0, [[5, 5, 9, 1]])).most, 0)
})

test('more is brighter and never clearer, and the legend says what a colour stands for', () => {
  const heat = heatOf(told(3_600, 1, [[4, 4, 600, 1]]))
  const light = (of: number): number => { const [r, g, b] = colour(of); return 0.2126 * r + 0.7152 * g + 0.0722 * b }
  for (let n = 0; n < 100; n += 1) {
    assert.ok(light(n / 100) < light((n + 1) / 100))
    assert.ok(colour(n / 100)[3] <= colour((n + 1) / 100)[3])
  }
  assert.equal(colour(0)[3], 0)
  assert.ok(Math.abs(rateAt(heat, 1) - 600) < 1e-6)
  for (const rate of [0, 5, 80, 600]) assert.ok(Math.abs(rateAt(heat, level(heat, rate)) - rate) < 1e-6)
  assert.ok(level(heatOf(told(3_600, 1, [[4, 4, 3, 1]])), 3) < 0.4, 'what is next to nothing never looks like much')
})
