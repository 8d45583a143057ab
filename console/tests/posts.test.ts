import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { PostItem } from '../src/api/posts'
import { byNeed, filtered, merged, postOf, speedOf, standingOf, timeFor } from '../src/network/order'

const post = (id: string, more: Partial<PostItem> = {}): PostItem => ({ id, name: id, state: 'connected', cameras: 2, recording: 2, problems: [], ...more })

test('a post that is connected and does not record all its cameras is in trouble', () => {
  assert.equal(standingOf(post('a')), 'connected')
  assert.equal(standingOf(post('a', { recording: 1 })), 'trouble')
  assert.equal(standingOf(post('a', { problems: [{ what: 'the disk is full' }] })), 'trouble')
})

function silence(state: 'plan' | 'link') {
  return { state, since: '2026-01-01T00:00:00Z', expected_at: null, alarm_at: null, overdue: false, resting: state === 'plan', evidence: {} }
}

test('silence by plan is told from silence that nobody planned', () => {
  assert.equal(standingOf(post('a', { state: 'silent' })), 'silent')
  assert.equal(standingOf(post('a', { state: 'silent', silence: silence('link') })), 'silent')
  assert.equal(standingOf(post('a', { state: 'silent', silence: silence('plan') })), 'plan')
  assert.equal(standingOf(post('a', { state: 'revoked' })), 'revoked')
})

test('what needs a person stands first', () => {
  const order = byNeed([
    post('z-fine'), post('a-fine'), post('gone', { state: 'revoked' }), post('dark', { state: 'silent' }),
    post('night', { state: 'silent', silence: silence('plan') }), post('half', { recording: 1 }), post('new', { state: 'never' }),
  ])
  assert.deepEqual(order.map((each) => each.id), ['dark', 'half', 'new', 'night', 'a-fine', 'z-fine', 'gone'])
})

test('a filter asks for every word, wherever it stands', () => {
  const all = [post('north', { name: 'North ridge', via: ['valley'] }), post('south', { name: 'South dam', state: 'silent' })]
  assert.deepEqual(filtered(all, 'ridge valley', '').map((each) => each.id), ['north'])
  assert.deepEqual(filtered(all, '', 'attention').map((each) => each.id), ['south'])
  assert.deepEqual(filtered(all, 'ridge', 'silent'), [])
})

test('the post of a camera', () => {
  assert.equal(postOf('north-ridge.gate'), 'north-ridge')
  assert.equal(postOf('gate'), null)
})

test('what idles says nothing of what it can carry', () => {
  assert.equal(speedOf({ rate: 64_000, bits_per_s: 900 }), 64_000)
  assert.equal(speedOf({ rate: null, bits_per_s: 900 }), null)
  assert.equal(speedOf({ rate: null, bits_per_s: 90_000 }), 90_000)
  assert.equal(speedOf(null), null)
})

test('how long a link needs', () => {
  assert.equal(timeFor(8_000, 64_000), 1_000)
  assert.equal(timeFor(8_000, null), null)
})

test('what changed takes its place in the list, what is new comes to it, and who is connected was heard just now', () => {
  const before = [post('a', { last_contact: 'old' }), post('b', { state: 'silent', last_contact: 'old' }), post('c', { last_contact: 'old' })]
  const found = merged(before, [post('c', { recording: 1, last_contact: 'told' }), post('d')], 'now')
  assert.deepEqual(found.map((each) => [each.id, each.last_contact ?? null]), [['a', 'now'], ['b', 'old'], ['c', 'told'], ['d', null]])
  assert.equal(found[2]?.recording, 1)
})
