import assert from 'node:assert/strict'
import { test } from 'node:test'
import { midnight, midnightOf } from '../src/time'

const at = (text: string): number => Date.parse(text)

test('a day begins at local midnight', () => {
  assert.equal(midnight(at('2026-11-20T23:30:00Z'), 'Europe/Oslo'), at('2026-11-20T23:00:00Z'))
  assert.equal(midnight(at('2026-11-20T22:30:00Z'), 'Europe/Oslo'), at('2026-11-19T23:00:00Z'))
  assert.equal(midnightOf('2026-11-20', 'Asia/Kathmandu'), at('2026-11-19T18:15:00Z'))
  assert.equal(midnightOf('2026-11-20', 'Pacific/Kiritimati'), at('2026-11-19T10:00:00Z'))
})

test('also on the days of 23 and of 25 hours', () => {
  assert.equal(midnight(at('2026-03-29T10:00:00Z'), 'Europe/Oslo'), at('2026-03-28T23:00:00Z'))
  assert.equal(midnight(at('2026-10-25T20:00:00Z'), 'Europe/Oslo'), at('2026-10-24T22:00:00Z'))
  assert.equal(midnightOf('2026-10-26', 'Europe/Oslo') - midnightOf('2026-10-25', 'Europe/Oslo'), 25 * 3_600_000)
  assert.equal(midnightOf('2026-03-30', 'Europe/Oslo') - midnightOf('2026-03-29', 'Europe/Oslo'), 23 * 3_600_000)
})
