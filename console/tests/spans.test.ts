import assert from 'node:assert/strict'
import { test } from 'node:test'
import { indexAt, itemAt, recordedBefore, recordedFrom, splice, type Item } from '../src/timeline/spans'

const item = (fromMs: number, toMs: number, state: Item['state'] = 'recorded', cause: string | null = null): Item => ({
  fromMs, toMs, state, cause, evidence: null, held: 'here',
})

test('a newer answer replaces what lies in its interval and nothing else', () => {
  const known = [item(0, 60), item(60, 80, 'gap', 'camera_unreachable'), item(80, 100, 'pending')]
  const fresh = [item(70, 90, 'gap', 'stream_stalled'), item(90, 120)]
  const now = splice(known, fresh, 70, 120)
  assert.deepEqual(now.map((i) => [i.fromMs, i.toMs, i.state, i.cause]), [
    [0, 60, 'recorded', null],
    [60, 70, 'gap', 'camera_unreachable'],
    [70, 90, 'gap', 'stream_stalled'],
    [90, 120, 'recorded', null],
  ])
})

test('a stretch that was only fetched in two parts is one', () => {
  const now = splice([item(0, 50)], [item(50, 90)], 50, 90)
  assert.deepEqual(now.map((i) => [i.fromMs, i.toMs]), [[0, 90]])
})

test('two gaps of one cause with different evidence stay two', () => {
  const first = { ...item(0, 50, 'gap', 'packets_lost'), evidence: { packets: 3 } }
  const second = { ...item(50, 60, 'gap', 'packets_lost'), evidence: { packets: 4 } }
  assert.equal(splice([first], [second], 50, 60).length, 2)
})

test('the known items are not changed by a splice', () => {
  const known = [item(0, 50)]
  splice(known, [item(50, 90)], 50, 90)
  assert.equal(known[0]?.toMs, 50)
})

test('intervals are half-open', () => {
  const items = [item(0, 50), item(50, 90, 'gap')]
  assert.equal(indexAt(items, 50), 1)
  assert.equal(itemAt(items, 49.9)?.state, 'recorded')
  assert.equal(itemAt(items, 50)?.state, 'gap')
  assert.equal(itemAt(items, 90), null)
})

test('playback finds what is recorded next, and before, and not what is gone', () => {
  const items = [item(0, 50), item(50, 60, 'gap'), { ...item(60, 70), held: 'gone' }, item(70, 90)]
  assert.equal(recordedFrom(items, 55)?.fromMs, 70)
  assert.equal(recordedBefore(items, 65)?.toMs, 50)
  assert.equal(recordedFrom(items, 95), null)
})
