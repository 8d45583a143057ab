import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Mention } from '../src/api/people'
import { use } from '../src/i18n'
import people from '../src/i18n/en/people.json'
import { detailOf } from '../src/people/deeds'

use('en', Object.fromEntries(Object.entries(people).map(([key, words]) => [`people.${key}`, words])))

const detail = (body: Record<string, unknown>): string[] =>
  detailOf({ kind: 'viewing', body, person: null } as unknown as Mention, 'UTC', Date.UTC(2026, 10, 22, 12))

const told = (what: string, n: number): { what: string }[] => Array.from({ length: n }, () => ({ what }))

test('who looked live again is said by how often, and who looked at footage by how much of it', () => {
  assert.deepEqual(detail({ what: 'live', also: told('live', 18) }), ['also live, 18 times'])
  assert.deepEqual(detail({ what: 'live', also: [...told('live', 1), ...told('recorded', 2), ...told('playlist', 1)] }), ['also live, once', 'also 3 stretches of what was recorded'])
  assert.deepEqual(detail({ what: 'recorded', also: [...told('still', 1), ...told('strip', 1)] }), ['also a look at pictures', 'also small pictures of 1 stretch'])
})

test('what was put together is counted apart, also where one stretch holds all of it', () => {
  assert.deepEqual(detail({ what: 'live', others: 4 }), ['4 more are told within these'])
  assert.deepEqual(detail({ what: 'live', also: told('live', 2), others: 1 }), ['also live, 2 times', '1 more is told within these'])
  assert.deepEqual(detail({ what: 'live' }), [])
})
