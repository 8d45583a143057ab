import assert from 'node:assert/strict'
import { test } from 'node:test'
import { LADDER, levelFor, spanAt, STEPS, stripOf, TileCache, tileMs, tilesOver } from '../src/timeline/levels'

const PLAIN = Uint8Array.from([0, 1, 2, 3, 4])
const one = stripOf([[0, 1]], PLAIN)

test('a level is never coarser than a pixel', () => {
  for (const span of [1_000, 60_000, 3_600_000, 86_400_000, 30 * 86_400_000, 366 * 86_400_000]) {
    const perPixel = span / 1_200
    const step = LADDER[levelFor(perPixel)] as number
    assert.ok(step <= Math.max(1, perPixel))
    const [first, last] = tilesOver(levelFor(perPixel), 0, span)
    assert.ok(last - first < 14, `${span}: ${last - first} tiles`)
  }
})

test('tiles lie on a grid of UTC, and their steps are the ones asked for', () => {
  const level = LADDER.indexOf(60_000)
  assert.equal(tileMs(level), 60_000 * STEPS)
  assert.deepEqual(tilesOver(level, tileMs(level), 2 * tileMs(level)), [1, 1])
  assert.deepEqual(tilesOver(level, tileMs(level) - 1, tileMs(level) + 1), [0, 1])
  assert.deepEqual(tilesOver(level, 5, 5), [0, 0])
})

test('a span is found by its step', () => {
  const strip = stripOf([[0, 0], [10, 1], [500, 4, 25]], PLAIN)
  assert.deepEqual([0, 9, 10, 499, 500, 1_023].map((step) => strip.code[spanAt(strip, step)]), [0, 0, 1, 1, 4, 4])
  assert.equal(strip.share[2], 25)
})

test('what is not there yet comes from a coarser tile, without holes and overlaps', () => {
  const cache = new TileCache()
  const fine = LADDER.indexOf(1_000)
  const coarse = LADDER.indexOf(15_000)
  cache.put(coarse, 0, 'gate', one)
  cache.put(fine, 1, 'gate', one)
  const found = cache.over('gate', fine, 0, 3 * tileMs(fine))
  assert.deepEqual(found.map((f) => [f.level, f.fromMs / tileMs(fine), f.toMs / tileMs(fine)]), [[coarse, 0, 1], [fine, 1, 2], [coarse, 2, 3]])
  assert.deepEqual(cache.over('yard', fine, 0, tileMs(fine)), [])
})

test('a coarse tile that ends within a fine one is followed by the next', () => {
  const cache = new TileCache()
  const fine = LADDER.indexOf(10)
  const coarse = LADDER.indexOf(1_000)
  cache.put(coarse, 0, 'gate', one)
  cache.put(coarse, 1, 'gate', one)
  const edge = tileMs(coarse)
  const found = cache.over('gate', fine, edge - 5_000, edge + 5_000)
  let at = edge - 5_000
  for (const piece of found) {
    assert.equal(piece.fromMs, at)
    at = piece.toMs
  }
  assert.equal(at, edge + 5_000)
})

test('the least recently written tiles are forgotten', () => {
  const cache = new TileCache(2)
  for (const tile of [1, 2, 3]) cache.put(0, tile, 'gate', one)
  assert.equal(cache.get(0, 1, 'gate'), undefined)
  assert.ok(cache.get(0, 3, 'gate'))
})
