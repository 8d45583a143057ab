import assert from 'node:assert/strict'
import { test } from 'node:test'
import { colours, extent, levelOf, painted, readStill, valueAt, valueOf } from '../src/thermal/levels'

function answer(levels: number[], width: number, gain: number | null, offset = 0): ArrayBuffer {
  const head = new TextEncoder().encode(JSON.stringify({ at: '2026-01-31T06:00:00Z', width, height: levels.length / width, gain, offset, reads: [] }))
  const buffer = new ArrayBuffer(4 + head.length + 2 * levels.length)
  const view = new DataView(buffer)
  view.setUint32(0, head.length, true)
  new Uint8Array(buffer, 4).set(head)
  levels.forEach((level, n) => view.setUint16(4 + head.length + 2 * n, level, true))
  return buffer
}

test('levels become degrees by the scale that the still says, and stay values where it says none', () => {
  const still = readStill(answer([29_315, 30_315, 31_315, 36_815], 2, 0.01, -273.15))
  assert.equal(still.atMs, Date.parse('2026-01-31T06:00:00Z'))
  assert.deepEqual(extent(still).map((each) => Math.round(each * 100) / 100), [20, 95])
  assert.ok(Math.abs(valueAt(still, [0.9, 0.9]) - 95) < 1e-6)
  assert.ok(Math.abs(valueAt(still, [1, 0]) - 30) < 1e-6, 'the edge belongs to the last pixel')
  assert.ok(Math.abs(levelOf(still, valueOf(still, 31_000)) - 31_000) < 1e-6)
  assert.deepEqual(extent(readStill(answer([7, 9], 1, null))), [7, 9])
})

test('a falling scale has its hottest where the levels are lowest', () => {
  assert.deepEqual(extent(readStill(answer([0, 100], 1, -1, 100))), [0, 100])
})

test('the span decides what is black and what is white', () => {
  const still = readStill(answer([0, 50, 100, 200], 2, null))
  const reds = (low: number, high: number): number[] => [...painted(still, low, high, 'sent')].filter((_, n) => n % 4 === 0)
  assert.deepEqual(reds(0, 200), [0, 64, 128, 255])
  assert.deepEqual(reds(50, 100), [0, 0, 255, 255])
  assert.deepEqual(reds(60, 60), [0, 0, 255, 255], 'a span of nothing is an edge')
})

test('each palette has both of its ends', () => {
  assert.deepEqual([...colours('sent').slice(-3)], [255, 255, 255])
  assert.deepEqual([...colours('black').slice(0, 3)], [255, 255, 255])
  assert.deepEqual([...colours('black').slice(-3)], [0, 0, 0])
})

test('an answer that is cut short is none', () => {
  const whole = answer([1, 2, 3, 4], 2, null)
  assert.throws(() => readStill(whole.slice(0, whole.byteLength - 1)))
  assert.throws(() => readStill(whole.slice(0, 3)))
})
