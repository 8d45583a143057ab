import assert from 'node:assert/strict'
import { test } from 'node:test'
import { inOrder, LOOKS, share } from '../src/upgrades/stages.ts'

test('the one that tries it goes first, and the others stay in their order', () => {
  assert.deepEqual(inOrder(['a', 'b', 'c'], 'b'), ['b', 'a', 'c'])
  assert.deepEqual(inOrder(['a', 'b'], 'x'), ['a', 'b'])
  assert.deepEqual(inOrder([], ''), [])
})

test('how much has travelled is a share, or nothing', () => {
  assert.equal(share(null, 10), null)
  assert.equal(share(5, undefined), null)
  assert.equal(share(5, 10), 0.5)
  assert.equal(share(15, 10), 1)
})

test('no two ends look alike', () => {
  const ends = ['kept', 'returned', 'refused', 'skipped'] as const
  assert.equal(new Set(ends.map((each) => LOOKS[each].icon)).size, ends.length)
})
