import assert from 'node:assert/strict'
import { test } from 'node:test'
import { around, graticule, stepOf } from '../src/network/terrain'
import { grouped } from '../src/network/groups'

test('the net of degrees has a handful of lines at every scale, and round degrees', () => {
  for (const width of [0.01, 0.1, 1, 10, 90, 360]) {
    const bounds = { west: 9, south: 40, east: 9 + width, north: 40 + width / 3 }
    const lines = graticule(bounds)
    assert.ok(lines.length >= 4 && lines.length < 60, `${width}: ${lines.length}`)
    const step = stepOf(bounds)
    for (const line of lines) assert.ok(Math.abs(line.properties.degrees / step - Math.round(line.properties.degrees / step)) < 1e-3)
  }
})

test('the net ends where the world does', () => {
  for (const { geometry } of graticule({ west: -200, south: -90, east: 200, north: 90 })) {
    for (const [lon, lat] of geometry.coordinates) assert.ok(Math.abs(lon) <= 180 && Math.abs(lat) <= 85)
  }
})

test('degrees are labelled with their side of the world', () => {
  const labels = graticule({ west: -1, south: -1, east: 1, north: 1 }).map((line) => line.properties.label)
  assert.ok(labels.includes('0.5° W') && labels.includes('0.5° N') && labels.includes('0.0°'))
})

test('a map holds all places, with room around one that is alone', () => {
  assert.equal(around([]), null)
  const one = around([{ lat: 61.6, lon: 9.8 }])
  assert.ok(one && one.east - one.west > 0.03 && one.north - one.south > 0.03)
  const two = around([{ lat: 61, lon: 9 }, { lat: 62, lon: 10 }])
  assert.ok(two && two.south < 61 && two.north > 62 && two.west < 9 && two.east > 10)
})

test('cameras stand under their posts; those of a post itself under no name', () => {
  const groups = grouped([{ id: 'a.x' }, { id: 'b.x' }, { id: 'a.y' }], (post) => post.toUpperCase())
  assert.deepEqual(groups.map((group) => [group.name, group.cameras.map((camera) => camera.id)]), [['A', ['a.x', 'a.y']], ['B', ['b.x']]])
  assert.deepEqual(grouped([{ id: 'gate' }], (post) => post).map((group) => group.post), [null])
})
