import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { beside, described, holders, keys, values, type Schema } from '../src/settings/schema'

const schema = JSON.parse(readFileSync(process.env.SETTINGS_SCHEMA ?? '../docs/ref/settings.schema.json', 'utf8')) as Schema
const TEXT = `post: {id: ridge}
web:
  listen: 127.0.0.1:8460
cameras:
  # west
  gate:
    name: Gate
    streams:
      main: rtsp://10.0.0.5/1

    schedule:
      - days: mon
        from: '06:00'
`
const lines = TEXT.split('\n')
const line = (text: string): number => lines.findIndex((each) => each.includes(text))

test('a line knows what holds it', () => {
  assert.deepEqual(holders(lines, line('main:')), ['cameras', 'gate', 'streams'])
  assert.deepEqual(holders(lines, line('name:')), ['cameras', 'gate'])
  assert.deepEqual(holders(lines, line('days:')), ['cameras', 'gate', 'schedule'])
  assert.deepEqual(holders(lines, line('from:')), ['cameras', 'gate', 'schedule'])
  assert.deepEqual(holders(lines, line('web:')), [])
  assert.deepEqual(holders([...lines.slice(0, -1), '    '], lines.length - 1, 4), ['cameras', 'gate'])
})

test('only what may stand there and does not is offered', () => {
  const there = beside(lines, line('name:'))
  assert.deepEqual(there.sort(), ['schedule', 'streams'])
  const offered = keys(schema, ['cameras', 'gate'], there).map((choice) => choice.label)
  assert.ok(offered.includes('transport') && offered.includes('audio') && !offered.includes('streams'))
  assert.ok(keys(schema, [], []).some((choice) => choice.label === 'cameras' && choice.section))
  assert.deepEqual(keys(schema, ['cameras', 'gate', 'schedule'], ['days']).map((choice) => choice.label).sort(), ['from', 'to'])
  assert.deepEqual(keys(schema, ['nowhere'], []), [])
})

test('values and words come from the schema', () => {
  assert.deepEqual(values(schema, ['cameras', 'gate', 'transport']).sort(), ['tcp', 'udp'])
  assert.deepEqual(values(schema, ['cameras', 'gate', 'audio']).sort(), ['false', 'true'])
  assert.match(described(schema, ['retention', 'max_age']), /maximum age/)
  assert.match(described(schema, ['defaults', 'audio']), /sound/)
  assert.equal(described(schema, ['nothing', 'such']), '')
})
