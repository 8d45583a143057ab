import assert from 'node:assert/strict'
import { test } from 'node:test'
import { login, parse, second, slug, url } from '../src/setup/address'
import { bytesPerDay, days, daysOf } from '../src/setup/space'
import { strength } from '../src/setup/strength'
import { windowsOf, written } from '../src/setup/windows'

test('an address is taken as it is typed', () => {
  assert.equal(url(parse('10.0.0.5')!), 'rtsp://10.0.0.5')
  const whole = parse(' rtsp://admin:p%40ss:x@cam.lan:8554/cam/realmonitor?channel=1&subtype=0 ')!
  assert.deepEqual([whole.user, whole.password, whole.host, whole.port], ['admin', 'p@ss:x', 'cam.lan', ':8554'])
  assert.equal(url(whole), 'rtsp://cam.lan:8554/cam/realmonitor?channel=1&subtype=0')
  assert.equal(url(parse('rtsps://[fe80::1]:322/x')!), 'rtsps://[fe80::1]:322/x')
  for (const wrong of ['', 'http://10.0.0.5/', 'rtsp://', 'a b', 'rtsp:///x']) assert.equal(parse(wrong), null, wrong)
  assert.equal(url(parse('10.0.0.5/?inst=1')!), 'rtsp://10.0.0.5/?inst=1')
})

test('a second stream is a path of the same camera or an address of its own', () => {
  const main = parse('rtsp://10.0.0.5:88/videoMain')!
  assert.equal(second('/videoSub', main), 'rtsp://10.0.0.5:88/videoSub')
  assert.equal(second('10.0.0.6/2', main), 'rtsp://10.0.0.6/2')
  assert.equal(second('  ', main), null)
})

test('a name becomes an id that is free', () => {
  assert.equal(slug('Café – Gate №2', []), 'cafe-gate-no2')
  assert.equal(slug('Gate', ['gate', 'gate-2']), 'gate-3')
  assert.equal(slug('門', []), 'camera')
  assert.match(slug('x'.repeat(80), []), /^x{36}$/)
})

test('a login is sent only where one was typed', () => {
  assert.equal(login('', ''), null)
  assert.deepEqual(login('u', ''), { user: 'u', password: null })
})

test('a strong password is long or varied, and no word that everybody tries', () => {
  assert.equal(strength('abc'), 'short')
  for (const weak of ['password12', '1234567890', 'aaaaaaaaaaaa', 'annaanna12', 'qwerty12345']) assert.equal(strength(weak, 'anna'), 'weak', weak)
  for (const strong of ['lookout over the ridge', 'hG7!pq2#Lw', 'korrekt pferd stapel']) assert.equal(strength(strong, 'anna'), 'strong', strong)
})

test('what a disk holds', () => {
  assert.equal(bytesPerDay(4), 43.2e9)
  assert.equal(days(432e9, 2, 4), 5)
  assert.equal(days(1e12, 0, 4), Infinity)
  assert.deepEqual([daysOf('14d'), daysOf('36h'), daysOf('2w'), daysOf('soon')], [14, 1.5, 14, null])
})

test('windows of a week go into a form and back', () => {
  const said = [
    { days: 'mon-fri', from: '6:00', to: '09:00' },
    { days: ['sat', 'mon'], from: '22:00', to: '24:00' },
    { from: '00:00', to: '24:00' },
  ]
  const windows = windowsOf(said)!
  assert.deepEqual(windows[0]!.days, [true, true, true, true, true, false, false])
  assert.equal(windows[0]!.from, '06:00')
  assert.deepEqual(written(windows).map((window) => window.days), ['mon-fri', ['mon', 'sat'], 'daily'])
  assert.equal(windowsOf(undefined), null)
  assert.equal(written([{ days: windowsOf([{ days: 'sat-mon' }])![0]!.days, from: '01:00', to: '00:00' }])[0]!.to, '24:00')
})
