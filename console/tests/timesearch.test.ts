import assert from 'node:assert/strict'
import { test } from 'node:test'
import { again, fromLocal, parseTime } from '../src/review/timesearch'

const OSLO = 'Europe/Oslo'
// A Saturday, 16:00 in Oslo.
const NOW = Date.parse('2026-11-21T15:00:00Z')

function told(text: string, language = 'en', now = NOW, zone = OSLO): string | null {
  const found = parseTime(text, now, zone, language)
  return found && new Date(found.ms).toISOString().replace('.000Z', 'Z')
}

for (const [text, wanted] of [
  ['yesterday 14:30', '2026-11-20T13:30:00Z'],
  ['Yesterday at 2:30 pm', '2026-11-20T13:30:00Z'],
  ['14:30 yesterday', '2026-11-20T13:30:00Z'],
  ['14:30', '2026-11-21T13:30:00Z'],
  ['18:00', '2026-11-20T17:00:00Z'],
  ['mon 06:00', '2026-11-16T05:00:00Z'],
  ['Saturday 18:00', '2026-11-14T17:00:00Z'],
  ['saturday 10:00', '2026-11-21T09:00:00Z'],
  ['2026-11-20 20:05:10', '2026-11-20T19:05:10Z'],
  ['2026-11-20T20:05:10Z', '2026-11-20T20:05:10Z'],
  ['10 min ago', '2026-11-21T14:50:00Z'],
  ['2 hours 15 minutes ago', '2026-11-21T12:45:00Z'],
  ['an hour ago', '2026-11-21T14:00:00Z'],
  ['3d ago', '2026-11-18T15:00:00Z'],
  ['last night', '2026-11-20T19:00:00Z'],
  ['last night 02:00', '2026-11-21T01:00:00Z'],
  ['this morning', '2026-11-21T05:00:00Z'],
  ['yesterday evening', '2026-11-20T17:00:00Z'],
  ['day before yesterday 8am', '2026-11-19T07:00:00Z'],
  ['20.11.2026 14:30', '2026-11-20T13:30:00Z'],
  ['20/11 14:30', '2026-11-20T13:30:00Z'],
  ['25 dec 14:30', '2025-12-25T13:30:00Z'],
  ['nov 3', '2026-11-02T23:00:00Z'],
  ['now', '2026-11-21T15:00:00Z'],
] as const) test(`"${text}"`, () => assert.equal(told(text), wanted))

for (const [language, text, wanted] of [
  ['fr', 'hier 14h30', '2026-11-20T13:30:00Z'],
  ['fr', 'avant-hier à 8h', '2026-11-19T07:00:00Z'],
  ['fr', 'il y a 10 min', '2026-11-21T14:50:00Z'],
  ['fr', 'il y a une heure', '2026-11-21T14:00:00Z'],
  ['fr', 'lundi 06:00', '2026-11-16T05:00:00Z'],
  ['fr', 'cette nuit', '2026-11-20T19:00:00Z'],
  ['fr', '3 août 2026 10:00', '2026-08-03T08:00:00Z'],
  ['es', 'ayer a las 14:30', '2026-11-20T13:30:00Z'],
  ['es', 'anoche', '2026-11-20T19:00:00Z'],
  ['es', 'hace 2 horas', '2026-11-21T13:00:00Z'],
  ['es', 'miércoles 06:00', '2026-11-18T05:00:00Z'],
  ['es', 'hoy por la mañana', '2026-11-21T05:00:00Z'],
  ['sw', 'jana 14:30', '2026-11-20T13:30:00Z'],
  ['sw', 'dakika 10 zilizopita', '2026-11-21T14:50:00Z'],
  ['sw', 'jumatatu 06:00', '2026-11-16T05:00:00Z'],
  ['sw', 'usiku wa jana', '2026-11-20T19:00:00Z'],
  ['sw', 'yesterday 14:30', '2026-11-20T13:30:00Z'],
] as const) test(`${language}: "${text}"`, () => assert.equal(told(text, language), wanted))

for (const text of ['', 'yesterdayish', '25:00', '31 feb 10:00', 'hello 14:30', '2026-13-01 10:00', '14:61', 'ago']) {
  test(`"${text}" is no time`, () => assert.equal(told(text), null))
}

test('a stretch has an end', () => {
  const night = parseTime('last night', NOW, OSLO, 'en')
  assert.equal(night?.toMs && new Date(night.toMs).toISOString(), '2026-11-21T05:00:00.000Z')
})

test('the night the clocks go back has two of that hour, and one that they go forward none', () => {
  const local = Date.UTC(2026, 9, 25, 2, 30)
  const first = fromLocal(local, OSLO)
  assert.equal(new Date(first).toISOString(), '2026-10-25T00:30:00.000Z')
  assert.equal(again(first, OSLO), first + 3_600_000)
  assert.equal(again(first + 3_600_000, OSLO), null)
  assert.equal(again(fromLocal(Date.UTC(2026, 9, 25, 5, 0), OSLO), OSLO), null)
  const never = fromLocal(Date.UTC(2026, 2, 29, 2, 30), OSLO)
  assert.equal(new Date(never).toISOString(), '2026-03-29T01:30:00.000Z')
})

test('yesterday is a local day, on the days the clocks change too', () => {
  assert.equal(told('yesterday 14:30', 'en', Date.parse('2026-10-26T12:00:00Z')), '2026-10-25T13:30:00Z')
  assert.equal(told('yesterday 01:30', 'en', Date.parse('2026-10-26T12:00:00Z')), '2026-10-24T23:30:00Z')
  assert.equal(told('yesterday 14:30', 'en', Date.parse('2026-03-30T12:00:00Z')), '2026-03-29T12:30:00Z')
})

test('in the post\'s own zone, of half hours too', () => {
  assert.equal(told('14:30', 'en', NOW, 'Asia/Kolkata'), '2026-11-21T09:00:00Z')
})
