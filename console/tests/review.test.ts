import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { faster, paceOf, RATES, ReviewClock, SEEK_MS, slaved } from '../src/review/clock'
import { framesOf, initInfo } from '../src/review/fmp4'
import { covered, Frames, stepped } from '../src/review/frames'
import { Lateness } from '../src/review/lateness'
import { addDays, addMonths, isoDay, weeksOf } from '../src/review/month'
import { parsePlaylist } from '../src/review/playlist'
import { questions, stepFor } from '../src/review/strips'

const stretch = (key: string, fromMs: number, step: number, count: number, every: number) => ({
  key, fromMs, toMs: fromMs + step * count,
  ms: Float64Array.from({ length: count }, (_, n) => fromMs + n * step), sync: Uint8Array.from({ length: count }, (_, n) => Number(n % every === 0)),
})

test('the clock runs at its rate, stands while paused and while it is held, and runs on from there', () => {
  const clock = new ReviewClock(1_000)
  assert.equal(clock.at(5_000), 1_000)
  clock.play(5_000)
  assert.equal(clock.at(5_100), 1_100)
  clock.setRate(4, 5_100)
  assert.equal(clock.at(5_200), 1_500)
  clock.hold(true, 5_200)
  assert.equal(clock.at(9_000), 1_500)
  assert.equal(clock.waits, true)
  clock.hold(false, 9_000)
  clock.setRate(-2, 9_000)
  assert.equal(clock.at(9_100), 1_300)
  clock.pause(9_100)
  assert.equal(clock.at(99_000), 1_300)
  clock.seek(7_000, 99_000)
  assert.equal(clock.at(99_500), 7_000)
})

test('speeds go from an eighth to 64 and back, and backwards from one on', () => {
  let rate = 1 / 8
  const seen = [rate]
  while (rate < 64) seen.push((rate = faster(rate, 1)))
  assert.deepEqual(seen, [...RATES])
  assert.equal(faster(64, 1), 64)
  assert.equal(faster(1 / 8, -1), 1 / 8)
  assert.equal(faster(-1, -1), -1)
  assert.equal(faster(-1, 1), -2)
})

test('what cannot be decoded is shown by key frames, and beyond that by stills', () => {
  assert.deepEqual([1 / 8, 1, 8, 16, 32, -1, -16, -32].map((rate) => paceOf(rate)), ['play', 'play', 'play', 'keys', 'stills', 'keys', 'keys', 'stills'])
})

test('a player that is ahead is slowed, one behind is hurried, and one far off is sought', () => {
  assert.equal(slaved(1, 0), 1)
  assert.ok((slaved(1, 100) as number) < 1)
  assert.ok((slaved(1, -100) as number) > 1)
  assert.equal(slaved(1, SEEK_MS + 1), null)
  // Whatever it is off by, three seconds of it bring it within a frame.
  for (const rate of [1 / 8, 1, 4]) {
    for (const begin of [300, -300, 40, -12]) {
      if (slaved(rate, begin) === null) continue
      let off = begin
      for (let n = 0; n < 180; n++) off += ((slaved(rate, off) as number) - rate) * (1_000 / 60)
      assert.ok(Math.abs(off) < 40, `${rate} ${begin}: ${off}`)
    }
  }
})

test('the picture of a moment is the last one not after it', () => {
  const frames = new Frames()
  frames.put(stretch('1/0', 1_000, 40, 100, 25))
  frames.put(stretch('1/9', 5_000, 40, 100, 25))
  assert.equal(frames.at(1_079), 1_040)
  assert.equal(frames.at(1_080), 1_080)
  assert.equal(frames.at(999), null)
  assert.equal(frames.next(1_080), 1_120)
  assert.equal(frames.next(4_960), 5_000)
  assert.equal(frames.before(1_080), 1_040)
  assert.equal(frames.before(1_000), null)
  assert.equal(frames.keyAt(2_999), 2_000)
  assert.equal(frames.keyAt(5_500), 5_000)
  assert.equal(frames.until(1_500), 9_000)
  assert.equal(frames.has(9_000), false)
})

test('the same stretch, longer, takes its own place', () => {
  const frames = new Frames()
  frames.put(stretch('1/0', 0, 40, 50, 25))
  frames.put(stretch('1/0', 0, 40, 100, 25))
  assert.equal(frames.all.length, 1)
  assert.equal(frames.until(0), 4_000)
  assert.deepEqual(frames.keep(10_000, 20_000).map((s) => s.key), ['1/0'])
  assert.equal(frames.has(0), false)
})

test('a step goes to the nearest picture of any camera', () => {
  const [slow, quick] = [new Frames(), new Frames()]
  slow.put(stretch('a', 0, 100, 50, 10))
  quick.put(stretch('b', 10, 40, 100, 25))
  const walk: number[] = []
  let at = 100
  for (let n = 0; n < 4; n++) walk.push((at = stepped([slow, quick], at, 1) as number))
  assert.deepEqual(walk, [130, 170, 200, 210])
  for (let n = 0; n < 4; n++) walk.push((at = stepped([slow, quick], at, -1) as number))
  assert.deepEqual(walk.slice(4), [200, 170, 130, 100])
  assert.equal(stepped([slow, quick], 195, -1), 130, 'between two pictures, back is the one before the one that is shown')
  assert.equal(stepped([slow, quick], 195, 1), 200)
  assert.equal(stepped([new Frames()], 0, 1), null)
})

test('a playlist is read part by part, to the microsecond', () => {
  const text = [
    '#EXTM3U', '#EXT-X-MAP:URI="segment.mp4?part=init&run=3"', '#EXT-X-PROGRAM-DATE-TIME:2026-01-01T00:00:00.000250Z', '#EXTINF:4.000000,',
    'segment.mp4?part=media&run=3&start=0&end=360000', '#EXT-X-PROGRAM-DATE-TIME:2026-01-01T00:00:04.010Z', '#EXTINF:2.5,',
    'segment.mp4?part=media&run=3&start=360000&end=585000', '#EXT-X-ENDLIST', '',
  ].join('\n')
  const t0 = Date.parse('2026-01-01T00:00:00Z')
  assert.deepEqual(parsePlaylist(text).map((p) => [p.key, p.fromMs - t0, Math.round(p.toMs - t0), p.mapUri]), [
    ['3/0', 0.25, 4_000, 'segment.mp4?part=init&run=3'],
    ['3/360000', 4_010, 6_510, 'segment.mp4?part=init&run=3'],
  ])
})

const u32 = (...values: number[]): number[] => values.flatMap((v) => [(v >>> 24) & 255, (v >>> 16) & 255, (v >>> 8) & 255, v & 255])
const box = (kind: string, ...body: number[]): number[] => [...u32(8 + body.length), ...[...kind].map((c) => c.charCodeAt(0)), ...body]

test('a fragment says when its pictures are shown, in that order, and which stand alone', () => {
  const rows = [[40, 9, 0x02000000, 80], [40, 9, 0x01010000, 160], [40, 9, 0x01010000, 0]]
  const moof = box('moof', ...box('traf',
    ...box('tfhd', ...u32(0x020000, 1)), ...box('tfdt', ...u32(0x01000000, 0, 1_000)),
    ...box('trun', ...u32(0x01000f01, rows.length, 0), ...rows.flatMap((row) => u32(...row)))))
  const other = box('moof', ...box('traf', ...box('tfhd', ...u32(0x020000, 2)), ...box('tfdt', ...u32(0, 7)), ...box('trun', ...u32(0x000001, 1, 0))))
  const bytes = Uint8Array.from([...moof, ...box('mdat', 1, 2, 3), ...other]).buffer
  assert.deepEqual(framesOf(bytes, 1), [{ pts: 1_080, sync: true }, { pts: 1_080, sync: false }, { pts: 1_200, sync: false }])
  assert.equal(framesOf(bytes, 2).length, 1)
})

test('a file says which codecs it needs', () => {
  const file = readFileSync(join(process.cwd(), '../src/longwatch/simulate/media/lot.mp4'))
  const info = initInfo(file.buffer.slice(file.byteOffset, file.byteOffset + file.byteLength) as ArrayBuffer)
  assert.match(info?.mime ?? '', /^video\/mp4; codecs="avc1\.[0-9A-F]{6}, mp4a\.40\.2"$/)
  assert.equal(initInfo(Uint8Array.from(box('ftyp', 1, 2, 3, 4)).buffer), null)
  assert.equal(initInfo(new ArrayBuffer(3)), null)
})

test('weeks hold their month, and months end where they end', () => {
  const weeks = weeksOf('2026-11', 1)
  assert.equal(weeks[0]?.[0], '2026-10-26')
  assert.equal(weeks.at(-1)?.[6], '2026-12-06')
  assert.ok(weeks.every((week) => week.length === 7))
  assert.equal(addMonths('2026-01-31', 1), '2026-02-28')
  assert.equal(addMonths('2026-03-31', -13), '2025-02-28')
  assert.equal(addDays('2026-02-28', 1), '2026-03-01')
  assert.equal(isoDay(Date.parse('2026-11-20T23:30:00Z'), 'Europe/Oslo'), '2026-11-21')
})

test('a day of nine cameras is asked for in a few answers, whole days or hours each', () => {
  const from = Date.parse('2026-11-20T05:00:00Z')
  const step = stepFor(86_400_000)
  assert.equal(step, 900)
  const asked = questions(9, from, from + 86_400_000, step)
  assert.ok(asked.length <= 3)
  assert.ok(asked.every(([a, b]) => a % 86_400_000 === 0 && b % 86_400_000 === 0 && ((b - a) / 1_000 / step) * 9 <= 3_000))
  const fine = questions(9, from, from + 3_600_000, 30)
  assert.ok(fine.every(([a, b]) => a % 3_600_000 === 0 && ((b - a) / 30_000) * 9 <= 3_000))
  for (const cameras of [1, 8, 9, 16, 64]) {
    const finest = questions(cameras, from, from + 900_000, 10)
    assert.ok(finest.every(([a, b]) => (Math.ceil(b / 10_000) - Math.floor(a / 10_000)) * cameras <= 3_000), `${cameras} cameras at the finest step`)
    assert.ok((finest[0] as [number, number])[0] <= from && (finest.at(-1) as [number, number])[1] >= from + 900_000)
  }
})

test('a seam of a moment between two stretches is no hole, the end of the last one is one', () => {
  const frames = new Frames()
  frames.put(stretch('a', 1_000, 100, 10, 10))
  frames.put(stretch('b', 2_099, 100, 10, 10))
  assert.deepEqual([1_500, 2_050, 2_500, 3_150].map((ms) => frames.has(ms)), [true, true, true, false])
  assert.equal(frames.until(1_500), 3_099)
  assert.equal(covered([{ fromMs: 0, toMs: 1_000 }, { fromMs: 1_600, toMs: 2_000 }], 1_100), false)
})

test('how late a player shows is learnt from its pictures, and no busy moment of the page counts', () => {
  const late = new Lateness()
  for (let n = 0; n < 5; n++) late.heard(1_000 + n * 40 + 20, 1_000 + n * 40)
  assert.equal(late.ms, 0)
  for (let n = 5; n < 100; n++) late.heard(1_000 + n * 40 + (n % 2 ? 14 : 26), 1_000 + n * 40)
  assert.ok(Math.abs(late.ms - 20) < 1)
  late.heard(9_000, 1_000)
  late.heard(NaN, 1_000)
  assert.ok(Math.abs(late.ms - 20) < 1)
  late.again()
  assert.equal(late.ms, 0)
})

test('what the browser took and has no more is forgotten; what it never took whole is not', () => {
  const frames = new Frames()
  frames.put(stretch('run/1', 0, 40, 50, 25))
  frames.put(stretch('run/2', 2_000, 40, 50, 25))
  frames.put(stretch('run/3', 4_000, 40, 50, 25))
  frames.take('run/1', () => true)
  frames.take('run/2', () => true)
  frames.take('run/3', (ms) => ms !== 5_000)
  assert.equal(frames.lost(() => true), 0)
  assert.equal(frames.lost((ms) => ms >= 1_000), 1)
  assert.deepEqual(frames.all.map((s) => s.key), ['run/2', 'run/3'])
  assert.equal(frames.lost(() => false), 1)
  assert.deepEqual(frames.all.map((s) => s.key), ['run/3'])
  frames.put(stretch('run/3', 4_000, 40, 50, 25))
  assert.equal(frames.lost(() => false), 0, 'appended anew: not judged before it is taken')
})

test('a step back leads on where pictures of two cameras are less than a millisecond apart', () => {
  for (const apart of [0, 0.005, 0.3, 0.9]) {
    const [one, other] = [new Frames(), new Frames()]
    one.put(stretch('one', 1_000, 40, 10, 5))
    other.put(stretch('other', 1_000 + apart, 40, 10, 5))
    for (const [by, end] of [[-1, 1_000], [1, 1_360 + apart]] as const) {
      let at: number = by < 0 ? 1_360 + apart : 1_000
      const seen = [at]
      for (let to = stepped([one, other], at, by); to !== null; to = stepped([one, other], at, by)) {
        assert.ok(by < 0 ? to < at : to > at, `from ${at} to ${to}, ${apart} apart`)
        seen.push((at = to))
      }
      assert.ok(Math.abs(at - end) < 0.01, `it ends at ${at}, ${apart} apart`)
      assert.ok(seen.length >= (apart > 0.01 ? 20 : 10), `${seen.length} steps, ${apart} apart`)
    }
  }
})
