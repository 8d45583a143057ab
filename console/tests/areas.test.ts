import assert from 'node:assert/strict'
import { test } from 'node:test'
import { acrossLine, dwellOf, linesOf, wrongWithLine, zonesOf } from '../src/masks/areas'

test('a length of stay is read as the settings write it, and what is none is none', () => {
  assert.deepEqual(['30s', '2m', '1h', 45, '45', '9d', undefined, 'soon', -4].map(dwellOf), [30, 120, 3600, 45, 45, 3600, 0, 0, 0])
})

test('zones keep their rules, and what is no zone is left out', () => {
  const polygon = [[0, 0], [1, 0], [1, 1]]
  const read = zonesOf([{ name: 'a', polygon, kinds: ['object'], dwell: '5s' }, { name: 'b', polygon, ignored: true }, { name: 'c', polygon: [[1]] }, null, 4])
  assert.deepEqual(read.map(({ name, kinds, dwell, ignored }) => [name, kinds, dwell, ignored]), [['a', ['object'], 5, false], ['b', [], 0, true]])
  assert.equal(zonesOf('none').length, 0)
})

test('lines have two ends and a direction', () => {
  const read = linesOf([{ name: 'a', from: [0, 0], to: [1, 0] }, { name: 'b', from: [0, 0], to: [1, 0], direction: 'right_to_left' }, { name: 'c', from: [0] }])
  assert.deepEqual(read.map(({ name, direction }) => [name, direction]), [['a', 'both'], ['b', 'right_to_left']])
  assert.equal(wrongWithLine([[0.5, 0.5], [0.505, 0.5]]), 'tiny')
  assert.equal(wrongWithLine([[0.2, 0.5], [0.6, 0.5]]), null)
})

test('the arrow crosses a line from its left to its right', () => {
  // Seen from the left end to the right one, y pointing down: the right hand is below.
  const { from, to } = acrossLine([[0.2, 0.5], [0.8, 0.5]], 16 / 9)
  assert.ok(from[1] < 0.5 && to[1] > 0.5)
  assert.ok(Math.abs(from[0] - 0.5) < 1e-9)
})
