import assert from 'node:assert/strict'
import { test } from 'node:test'
import { PALETTES, STEPS, readable, table } from '../src/thermal/tables'

test('each palette goes from one end to the other in steps that can be told apart', () => {
  for (const name of PALETTES) {
    if (name === 'sent') continue
    const light = STEPS[name].map(([r, g, b]) => 0.2126 * r + 0.7152 * g + 0.0722 * b)
    assert.ok(Math.abs(light[0]! - light.at(-1)!) > 0.8, `${name}: hot and cold differ in brightness, for those who see no colours`)
    assert.equal(table(name, 0).split(' ').length, STEPS[name].length)
    for (const step of STEPS[name]) for (const part of step) assert.ok(part >= 0 && part <= 1)
  }
})

test('what is kept is believed where it names a palette', () => {
  assert.deepEqual(readable({ a: 'iron', b: 'plaid', c: 3 }), { a: 'iron' })
  assert.deepEqual(readable(null), {})
  assert.deepEqual(readable('iron'), {})
})
