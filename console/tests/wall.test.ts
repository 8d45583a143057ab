/** The wall without a browser: what is kept, who stands where, which stream, how fast. */

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { first, following, moved, readable, shapeOf, shown, stepped, type Layout } from '../src/live/layout'
import { backOffMs, mean, paceOf, stillWidth, streamFor } from '../src/live/pace'
import { ClockOffset } from '../src/state/offset'

const CAMERAS = ['a', 'b', 'c', 'd']
const layout = (some: Partial<Layout> = {}): Layout => ({ ...first('All'), ...some })

test('a camera that was never arranged follows those that were, and is not hidden', () => {
  assert.deepEqual(shown(layout({ order: ['c', 'a'] }), CAMERAS), ['c', 'a', 'b', 'd'])
  assert.deepEqual(shown(layout({ order: ['gone', 'c'], hidden: ['a'] }), CAMERAS), ['c', 'b', 'd'])
})

test('moving takes a camera out and puts it in; hidden ones stay known', () => {
  const one = moved(layout({ hidden: ['b'] }), CAMERAS, 'd', 0)
  assert.deepEqual(shown(one, CAMERAS), ['d', 'a', 'c'])
  assert.deepEqual(shown({ ...one, hidden: [] }, CAMERAS), ['d', 'a', 'c', 'b'])
  assert.deepEqual(shown(moved(one, CAMERAS, 'd', 99), CAMERAS), ['a', 'c', 'd'])
  assert.equal(moved(one, CAMERAS, 'nobody', 1), one)
})

test('arrows go along a row and from row to row, and never off the wall', () => {
  assert.equal(stepped(0, 4, 2, 'ArrowRight'), 1)
  assert.equal(stepped(1, 4, 2, 'ArrowDown'), 3)
  assert.equal(stepped(3, 4, 2, 'ArrowDown'), 3)
  assert.equal(stepped(0, 4, 2, 'ArrowUp'), 0)
})

test('every grid fits the room it was made for', () => {
  for (let columns = 1; columns <= 6; columns++) {
    for (let rows = 1; rows <= 6; rows++) {
      const shape = shapeOf({ kind: 'fixed', columns, rows }, columns * rows, 1200, 700, 32, 8)
      assert.equal(shape.columns, columns)
      assert.ok(shape.tileWidth * columns + 8 * (columns - 1) <= 1200)
      assert.ok(shape.tileHeight * rows + 8 * (rows - 1) <= 700)
      assert.ok(shape.fits >= columns * rows, `${columns} x ${rows} shows ${shape.fits}`)
    }
  }
})

test('one large picture has the others around it, as many as go', () => {
  for (const [count, columns] of [[2, 3], [6, 3], [7, 4], [8, 4], [10, 5], [12, 6], [40, 6]] as const) {
    const shape = shapeOf({ kind: 'focus', columns: 2, rows: 2 }, count, 1600, 900, 0, 2)
    assert.deepEqual([shape.columns, shape.large], [columns, columns - 1])
    assert.ok(shape.fits >= Math.min(count, 2 * columns))
  }
})

test('as large as fits: nine stand three by three on a wide wall, and a phone has one beside none', () => {
  assert.equal(shapeOf({ kind: 'fit', columns: 1, rows: 1 }, 9, 1920, 1080, 0, 2).columns, 3)
  assert.equal(shapeOf({ kind: 'fit', columns: 1, rows: 1 }, 16, 1920, 1080, 0, 2).columns, 4)
  assert.equal(shapeOf({ kind: 'fit', columns: 1, rows: 1 }, 9, 390, 700, 32, 8).columns, 1)
  assert.equal(shapeOf({ kind: 'fixed', columns: 5, rows: 5 }, 9, 390, 700, 32, 8).columns, 2)
  assert.equal(shapeOf({ kind: 'fit', columns: 1, rows: 1 }, 0, 390, 700, 32, 8).fits, 0)
})

test('what was kept is read; what is nothing of ours is not', () => {
  const kept = { v: 1, current: 'x', cycleS: 20, layouts: [{ id: 'x', name: ' Night ', grid: { kind: 'fixed', columns: 9, rows: 2 }, order: ['a', 'a', 3], hidden: 'no' }] }
  assert.deepEqual(readable(kept), {
    v: 1, current: 'x', cycleS: 20, layouts: [{ id: 'x', name: 'Night', grid: { kind: 'fixed', columns: 6, rows: 2 }, order: ['a'], hidden: [] }],
  })
  assert.equal(readable({ ...kept, cycleS: 7, current: 'gone' })?.current, 'x')
  for (const wrong of [null, 4, [], {}, { v: 2, layouts: kept.layouts }, { v: 1, layouts: [] }, { v: 1, layouts: [{ id: 'x' }] }]) {
    assert.equal(readable(wrong), null)
  }
})

test('layouts take turns', () => {
  const choice = { v: 1 as const, cycleS: 10, current: 'b', layouts: [layout({ id: 'a' }), layout({ id: 'b' })] }
  assert.equal(following(choice), 'a')
  assert.equal(following({ ...choice, current: 'a' }), 'b')
})

test('near the edge it plays on, a little behind it hurries, far behind it jumps', () => {
  const at = (behind: number): ReturnType<typeof paceOf> => paceOf({ at: 100 - behind, start: 90, end: 100, target: 0.3 })
  assert.deepEqual(at(0.3), { rate: 1, jump: null })
  assert.deepEqual(at(0.5), { rate: 1.06, jump: null })
  assert.deepEqual(at(0.9), { rate: 1.15, jump: null })
  assert.deepEqual(at(0.05), { rate: 0.96, jump: null })
  assert.deepEqual(at(2), { rate: 1, jump: 99.7 })
  assert.deepEqual(paceOf({ at: 10, start: 90, end: 100, target: 0.3 }), { rate: 1, jump: 99.7 })
  assert.deepEqual(paceOf({ at: 0, start: 99.9, end: 100, target: 0.3 }), { rate: 1, jump: 99.9 })
})

test('latency falls under a second by the pace alone, from anywhere', () => {
  for (const begin of [0.4, 0.9, 1.3, 1.5, 30]) {
    let at = 1_000 - begin
    let end = 1_000
    for (let n = 0; n < 100; n++) {
      const pace = paceOf({ at, start: end - 40, end, target: 0.3 })
      at = (pace.jump ?? at) + 0.1 * pace.rate
      end += 0.1
    }
    assert.ok(end - at < 0.8, `from ${begin} s to ${end - at} s in ten seconds`)
  }
})

test('tries again later and later, and never all at once', () => {
  assert.ok(backOffMs(0, 0) >= 200 && backOffMs(0, 1) < 700)
  assert.ok(backOffMs(50, 1) < 12_000)
  assert.notEqual(backOffMs(3, 0.1), backOffMs(3, 0.9))
})

test('a small tile takes the small stream, and does not waver at the edge', () => {
  const streams = [{ name: 'main', width: 1920 }, { name: 'sub', width: 640 }]
  assert.equal(streamFor(streams, 400, undefined), 'sub')
  assert.equal(streamFor(streams, 1200, undefined), 'main')
  assert.equal(streamFor(streams, 780, 'sub'), 'sub')
  assert.equal(streamFor(streams, 780, 'main'), 'main')
  assert.equal(streamFor(streams, 600, 'main'), 'sub')
  assert.equal(streamFor([{ name: 'main' }], 100, undefined), 'main')
  assert.equal(streamFor([], 100, undefined), undefined)
})

test('a still is as wide as its tile, or as the link brings in a second', () => {
  assert.equal(stillWidth(640, 10_000_000, 0.16), 640)
  assert.equal(stillWidth(640, 30_000, 0.16), 480)
  assert.equal(stillWidth(640, 3_000, 0.16), 160)
  assert.equal(stillWidth(4_000, 1e9, 0.16), 1920)
  assert.equal(mean(null, 8), 8)
  assert.equal(mean(10, 20, 0.5), 15)
})

test('of several answers the quickest tells the clock; a clock that was set is believed at once', () => {
  const clock = new ClockOffset()
  assert.equal(clock.heard(1_000, 1_800, 1_500), 100)
  assert.equal(clock.heard(2_000, 2_010, 2_055), 50)
  assert.equal(clock.heard(3_000, 4_000, 3_300), 50)
  assert.equal(clock.heard(5_000, 5_020, 65_010), 60_000)
})
