import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Rule } from '../src/api/notify'
import { brokerOf, brokerPatch, covered, draftOf, eventKinds, freshSecret, mailAddress, NEW_RULE, ruleLacks, rulePatch, spanOf, spanRead, spanWritten, toggled, usedBy, withBuiltIn } from '../src/notify/form'

const RULE: Rule = {
  name: 'outages', to: ['ada'], kinds: ['not_recording', 'object.person'], cameras: ['gate'], zones: [], hours: [{ days: [0, 1, 2, 3, 4], from_minute: 1200, to_minute: 1440 }],
  group: 90, most: 12, per: 3600, repeat: 0, escalate: [{ after: 600, to: ['hook'] }], ends: null, urgent: false, held: 3,
}

test('a rule that was only opened changes nothing, and a changed one only what is another', () => {
  const before = draftOf(RULE)
  assert.deepEqual(rulePatch(before, structuredClone(before)), {})
  const now = { ...before, urgent: true, cameras: [], repeat: { n: 1, unit: 'h' as const }, escalate: [] }
  assert.deepEqual(rulePatch(before, now), { urgent: true, cameras: null, repeat: '1h', escalate: null })
  assert.deepEqual(rulePatch({ ...before, ends: 'no', most: 3 }, before), { ends: null, most: null })
})

test('a new rule says no more than it has to', () => {
  assert.deepEqual(rulePatch(null, { ...NEW_RULE, to: ['push'] }), { kinds: ['alarm'], to: ['push'] })
  const whole = rulePatch(null, draftOf(RULE))
  assert.deepEqual(whole, {
    kinds: ['not_recording', 'object.person'], to: ['ada'], cameras: ['gate'], hours: [{ days: 'mon-fri', from: '20:00', to: '24:00' }], group: '90s',
    escalate: [{ after: '10m', to: ['hook'] }],
  })
})

test('everything is both alarms and events, and comes back as one word', () => {
  const draft = draftOf({ ...RULE, kinds: ['all'] })
  assert.deepEqual(draft.kinds, ['alarm', 'event'])
  assert.deepEqual(rulePatch(null, draft).kinds, ['all'])
})

test('a word covers what begins with it, and takes it along', () => {
  assert.equal(covered('motion.line', ['motion']), true)
  assert.equal(covered('disk', ['alarm']), true)
  assert.equal(covered('disk', ['event']), false)
  assert.equal(covered('object.person', ['event']), true)
  assert.equal(covered('alarm', ['event']), false)
  assert.equal(covered('motion', ['motion']), false)
  assert.deepEqual(toggled(['motion.line', 'disk'], 'motion', true), ['disk', 'motion'])
  assert.deepEqual(toggled(['disk', 'power', 'motion'], 'alarm', true), ['motion', 'alarm'])
  assert.deepEqual(toggled(['disk', 'motion'], 'disk', false), ['motion'])
})

test('only what can occur is offered', () => {
  assert.deepEqual(eventKinds([], false), ['motion', 'motion.line', 'motion.dwell', 'tamper'])
  assert.deepEqual(eventKinds(['person'], true).slice(4), ['object', 'object.person', 'thermal.hot', 'thermal.cold'])
})

test('what a rule lacks is said before it is sent', () => {
  const right = { ...NEW_RULE, to: ['push'] }
  assert.equal(ruleLacks(right), '')
  assert.equal(ruleLacks({ ...right, kinds: [] }), 'lacksKinds')
  assert.equal(ruleLacks(NEW_RULE), 'lacksTo')
  assert.equal(ruleLacks({ ...right, windows: [{ days: Array<boolean>(7).fill(false), from: '01:00', to: '02:00' }] }), 'lacksDays')
  assert.equal(ruleLacks({ ...right, escalate: [{ after: { n: 1, unit: 'm' }, to: [] }] }), 'lacksStep')
})

test('lengths of time go into a form and back', () => {
  assert.deepEqual([spanOf(0), spanOf(90), spanOf(3600), spanOf(86_400 * 2)].map(spanWritten), ['0s', '90s', '1h', '2d'])
})

test('a mail address holds whatever a login is made of', () => {
  const mail = { server: ' mail.example.org ', security: 'tls' as const, port: '', user: 'post@example.org', password: 'p@ss/w&d#1', from: '', to: 'ada@example.org, bo@example.org' }
  assert.equal(mailAddress(mail), 'mailtos://mail.example.org:465?mode=ssl&user=post%40example.org&pass=p%40ss%2Fw%26d%231&from=post%40example.org&to=ada%40example.org%2Cbo%40example.org')
  const plain = { ...mail, security: 'none' as const, port: '2525', user: '', password: 'left over', from: 'post@example.org' }
  assert.equal(mailAddress(plain), 'mailto://mail.example.org:2525?from=post%40example.org&to=ada%40example.org%2Cbo%40example.org')
})

test('what is named stays until nobody names it', () => {
  assert.deepEqual(usedBy('hook', [RULE], { ada: { channels: ['hook', 'push'] }, bo: { channels: ['mail'] }, odd: null }), { rules: ['outages'], people: ['ada'] })
  assert.deepEqual(usedBy('mail', [RULE], {}), { rules: [], people: [] })
})

test('the rule that is built in is kept with the first of one\'s own', () => {
  const builtIn = { ...RULE, name: 'alarms', kinds: ['alarm'], to: ['push'], cameras: [], hours: [], group: 10, escalate: [] }
  assert.deepEqual(withBuiltIn(null, [builtIn]), { alarms: { kinds: ['alarm'], to: ['push'] } })
  assert.deepEqual(withBuiltIn({}, [builtIn]), {})
})

test('a secret is long, and another each time', () => {
  assert.match(freshSecret(), /^[0-9a-f]{32}$/)
  assert.notEqual(freshSecret(), freshSecret())
})

test('a broker is written as shortly as it can be, and its password only where one was typed', () => {
  const fresh = { ...brokerOf({}), host: ' broker.lan ' }
  assert.deepEqual(brokerPatch(null, fresh, ''), { host: 'broker.lan' })
  assert.deepEqual(brokerPatch(null, { ...fresh, port: '1884', user: 'post', tls: true, ca: 'ca.pem', announced: false, pictures: false, commands: true }, 'typed'), {
    host: 'broker.lan', port: 1884, user: 'post', tls: true, ca: 'ca.pem', discovery: 'off', pictures: false, commands: true, password: 'typed',
  })
  const block = { host: 'broker.lan', port: 1884, user: 'post', password: '${MQTT_PASSWORD}', tls: true, ca: 'ca.pem', discovery: 'ha', prefix: 'south' }
  const before = brokerOf(block)
  assert.deepEqual(brokerPatch(before, before, ''), {}, 'nothing changed: nothing is written, and the password stays')
  assert.deepEqual(brokerPatch(before, { ...before, tls: false }, ''), { tls: null, ca: null }, 'without TLS there are no certificates')
  assert.deepEqual(brokerPatch(before, { ...before, user: '' }, ''), { user: null, password: null }, 'a password is of a user')
  assert.deepEqual(brokerPatch(before, { ...before, announced: false }, ''), { discovery: 'off' })
  for (const off of ['off', false]) assert.equal(brokerOf({ host: 'b', discovery: off }).announced, false)
  assert.deepEqual(brokerPatch(brokerOf({ host: 'b', discovery: 'off' }), { ...brokerOf({ host: 'b', discovery: 'off' }), announced: true }, ''), { discovery: null })
})

test('a length of time is read as the settings write it, or not at all', () => {
  assert.deepEqual(spanRead('30d'), { n: 30, unit: 'd' })
  assert.deepEqual(spanRead(' 36 h '), { n: 36, unit: 'h' })
  for (const other of ['4w', '1.5d', '', 30, null, undefined]) assert.equal(spanRead(other), null)
})
