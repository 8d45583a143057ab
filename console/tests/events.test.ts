import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { SeenEvent } from '../src/api/events'
import { cards, kept } from '../src/events/grouping'

function event(id: string, kind: string, from: number, to: number | null, camera = 'gate'): SeenEvent {
  const at = (second: number): string => new Date(Date.UTC(2026, 10, 22, 8, 0, second)).toISOString()
  return {
    id, camera, kind, level: 'motion', from: at(from), to: to === null ? null : at(to), score: 1, zones: [], count: 1,
    best: { at: at(from), box: null, picture: false, held: null }, clip: { from: at(from), to: at(from) }, detail: '', twin: null, reviewed: null,
  }
}

const shown = (events: SeenEvent[]): string[] => cards(events).map((card) => (card.motion ? `${card.event.id}+${card.motion.id}` : card.event.id))

test('one thing is one card, which names its motion too', () => {
  assert.deepEqual(shown([event('car', 'object.vehicle', 1, 9), event('m', 'motion', 0, 12)]), ['car+m'])
  assert.deepEqual(shown([event('car', 'object.vehicle', 1, null), event('m', 'motion', 0, null)]), ['car+m'], 'while it goes on')
})

test('two things in one motion are two cards, and the motion stands on the first', () => {
  assert.deepEqual(shown([event('b', 'object.person', 6, 20), event('a', 'object.vehicle', 1, 9), event('m', 'motion', 0, 24)]), ['b', 'a+m'])
})

test('motion that is not explained keeps its card', () => {
  assert.deepEqual(shown([event('car', 'object.vehicle', 1, 9), event('m', 'motion', 0, 12, 'yard')]), ['car', 'm'], 'another camera')
  assert.deepEqual(shown([event('car', 'object.vehicle', 30, 40), event('m', 'motion', 0, 44)]), ['car', 'm'], 'something moved long before')
  assert.deepEqual(shown([event('car', 'object.vehicle', 1, 5), event('m', 'motion', 0, 50)]), ['car', 'm'], 'something moves long after')
  assert.deepEqual(shown([event('car', 'object.vehicle', 1, 9), event('m', 'motion', 0, null)]), ['car', 'm'], 'it goes on, and the car is gone')
  assert.deepEqual(shown([event('m', 'motion', 0, 12), event('l', 'motion.line', 3, 4), event('t', 'tamper.covered', 1, 9)]), ['m', 'l', 't'])
})

test('while a film plays what stands on one card stays there, though one of them ends', () => {
  const [car, m] = [event('car', 'object.vehicle', 1, 5), event('m', 'motion', 0, 50)]
  const held = new Map([['car', 'm']])
  assert.deepEqual(cards([car, m], held).map((card) => [card.event.id, card.motion?.id]), [['car', 'm']])
  assert.deepEqual(cards([m], held).map((card) => card.event.id), ['m'], 'alone it is a card')
  assert.deepEqual(cards([car], held).map((card) => card.motion), [null])
})

test('under a film the list stays, and says how much is new', () => {
  const [old, older] = [event('old', 'motion', 20, null), event('older', 'motion', 10, 12)]
  const ended = event('old', 'motion', 20, 26)
  const { items, waiting } = kept([old, older], [event('new', 'motion', 40, null), event('newer', 'motion', 50, null), ended, event('page-two', 'motion', 1, 2)])
  assert.deepEqual(items, [ended, older], 'as it is now, and what is gone elsewhere stays')
  assert.equal(waiting, 2)
})
