import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { GapWire } from '../src/api/types'
import { happenings } from '../src/happenings'

const NOW = Date.parse('2026-11-20T12:00:00Z')
const gap = (camera: string, from: string, to: string | null, cause = 'packets_lost'): GapWire => ({
  camera, from: `2026-11-20T${from}Z`, to: `2026-11-20T${to ?? '12:00:00'}Z`, open: to === null, cause,
})

test('what strikes several cameras at once is one happening', () => {
  const told = happenings(
    [gap('a', '11:00:00', '11:05:00', 'post_power_lost'), gap('b', '11:00:01', '11:05:02', 'post_power_lost')],
    NOW,
  )
  assert.equal(told.length, 1)
  assert.deepEqual(told[0]?.cameras.toSorted(), ['a', 'b'])
  assert.equal(told[0]?.toMs, Date.parse('2026-11-20T11:05:02Z'))
})

test('a series of short gaps is told once, with how often and how long', () => {
  const told = happenings([gap('a', '11:00:00', '11:00:01'), gap('a', '11:00:30', '11:00:32'), gap('a', '11:20:00', '11:20:01')], NOW)
  assert.deepEqual(told.map((h) => [h.times, h.lostMs]), [[1, 1_000], [2, 3_000]])
  assert.equal(told[1]?.fromMs, Date.parse('2026-11-20T11:00:00Z'))
  assert.equal(told[1]?.toMs, Date.parse('2026-11-20T11:00:32Z'))
})

test('different causes and different cameras are told apart', () => {
  const told = happenings(
    [gap('a', '11:00:00', '11:00:10'), gap('b', '11:00:30', '11:00:40'), gap('a', '11:00:20', '11:00:22', 'stream_stalled')],
    NOW,
  )
  assert.equal(told.length, 3)
})

test('what goes on now is not joined to what ended', () => {
  const told = happenings([gap('a', '11:50:00', null, 'camera_unreachable'), gap('b', '11:50:00', '11:51:00', 'camera_unreachable')], NOW)
  assert.equal(told.length, 2)
  assert.equal(told.find((h) => h.toMs === null)?.lostMs, 600_000)
})
