/**
 * What a player has to know of fragmented mp4 (ISO/IEC 14496-12): which codecs an initialization segment announces, and
 * when the pictures of a fragment are shown and which of them stand alone. No I/O.
 */

export interface InitInfo {
  mime: string
  videoTrack: number
  timescale: number
}

export interface Frame {
  /** Presentation time in ticks of the track. */
  pts: number
  sync: boolean
}

interface Box {
  kind: string
  body: number
  end: number
}

function* boxes(view: DataView, from: number, to: number): Generator<Box> {
  for (let at = from; at + 8 <= to; ) {
    let size = view.getUint32(at)
    let head = 8
    if (size === 1) {
      size = Number(view.getBigUint64(at + 8))
      head = 16
    } else if (size === 0) size = to - at
    if (size < head || at + size > to) return
    yield { kind: fourcc(view, at + 4), body: at + head, end: at + size }
    at += size
  }
}

function fourcc(view: DataView, at: number): string {
  return String.fromCharCode(view.getUint8(at), view.getUint8(at + 1), view.getUint8(at + 2), view.getUint8(at + 3))
}

function find(view: DataView, from: number, to: number, ...path: string[]): Box | null {
  let [a, b] = [from, to]
  let found: Box | null = null
  for (const kind of path) {
    found = null
    for (const box of boxes(view, a, b)) {
      if (box.kind === kind) {
        found = box
        break
      }
    }
    if (!found) return null
    ;[a, b] = [found.body, found.end]
  }
  return found
}

/** null: no video in it that we know. */
export function initInfo(bytes: ArrayBuffer): InitInfo | null {
  const view = new DataView(bytes)
  const moov = find(view, 0, view.byteLength, 'moov')
  if (!moov) return null
  const codecs: string[] = []
  let video: { track: number; timescale: number } | null = null
  for (const trak of boxes(view, moov.body, moov.end)) {
    if (trak.kind !== 'trak') continue
    const codec = codecOf(view, trak)
    if (!codec) continue
    codecs.push(codec.name)
    if (codec.video && !video) video = { track: trackId(view, trak), timescale: timescaleOf(view, trak) }
  }
  if (!video) return null
  return { mime: `video/mp4; codecs="${codecs.join(', ')}"`, videoTrack: video.track, timescale: video.timescale }
}

function trackId(view: DataView, trak: Box): number {
  const tkhd = find(view, trak.body, trak.end, 'tkhd')
  return tkhd ? view.getUint32(tkhd.body + (view.getUint8(tkhd.body) === 1 ? 20 : 12)) : 0
}

function timescaleOf(view: DataView, trak: Box): number {
  const mdhd = find(view, trak.body, trak.end, 'mdia', 'mdhd')
  return mdhd ? view.getUint32(mdhd.body + (view.getUint8(mdhd.body) === 1 ? 20 : 12)) : 90_000
}

function hex(value: number): string {
  return value.toString(16).padStart(2, '0').toUpperCase()
}

function codecOf(view: DataView, trak: Box): { name: string; video: boolean } | null {
  const stsd = find(view, trak.body, trak.end, 'mdia', 'minf', 'stbl', 'stsd')
  if (!stsd) return null
  for (const entry of boxes(view, stsd.body + 8, stsd.end)) {
    if (entry.kind === 'avc1' || entry.kind === 'avc3') {
      const avcc = find(view, entry.body + 78, entry.end, 'avcC')
      if (!avcc) return null
      const at = avcc.body + 1
      return { name: `${entry.kind}.${hex(view.getUint8(at))}${hex(view.getUint8(at + 1))}${hex(view.getUint8(at + 2))}`, video: true }
    }
    if (entry.kind === 'hvc1' || entry.kind === 'hev1') {
      const hvcc = find(view, entry.body + 78, entry.end, 'hvcC')
      return hvcc ? { name: `${entry.kind}.${hevc(view, hvcc.body)}`, video: true } : null
    }
    if (entry.kind === 'mp4a') return { name: 'mp4a.40.2', video: false }
    if (entry.kind === 'Opus') return { name: 'opus', video: false }
  }
  return null
}

/** ISO/IEC 14496-15, E.3. */
function hevc(view: DataView, at: number): string {
  const first = view.getUint8(at + 1)
  let flags = 0
  for (let bit = 0; bit < 32; bit++) if (view.getUint32(at + 2) & (1 << bit)) flags |= 1 << (31 - bit)
  const constraints: string[] = []
  for (let n = 0; n < 6; n++) constraints.push(hex(view.getUint8(at + 6 + n)))
  while (constraints.length > 1 && constraints.at(-1) === '00') constraints.pop()
  const space = ['', 'A', 'B', 'C'][first >> 6]
  return `${space}${first & 31}.${(flags >>> 0).toString(16)}.${first & 32 ? 'H' : 'L'}${view.getUint8(at + 12)}.${constraints.join('.')}`
}

const NOT_SYNC = 0x10000

/** The pictures of a fragment's video track, in the order they are shown. */
export function framesOf(bytes: ArrayBuffer, track: number): Frame[] {
  const view = new DataView(bytes)
  const frames: Frame[] = []
  for (const moof of boxes(view, 0, view.byteLength)) {
    if (moof.kind !== 'moof') continue
    for (const traf of boxes(view, moof.body, moof.end)) if (traf.kind === 'traf') addTraf(view, traf, track, frames)
  }
  return frames.sort((a, b) => a.pts - b.pts)
}

function addTraf(view: DataView, traf: Box, track: number, frames: Frame[]): void {
  const tfhd = find(view, traf.body, traf.end, 'tfhd')
  const tfdt = find(view, traf.body, traf.end, 'tfdt')
  if (!tfhd || !tfdt || view.getUint32(tfhd.body + 4) !== track) return
  const flags = view.getUint32(tfhd.body) & 0xffffff
  let at = tfhd.body + 8
  if (flags & 0x1) at += 8
  if (flags & 0x2) at += 4
  const duration = flags & 0x8 ? view.getUint32(at) : 0
  if (flags & 0x8) at += 4
  if (flags & 0x10) at += 4
  const defaults = flags & 0x20 ? view.getUint32(at) : 0
  let dts = view.getUint8(tfdt.body) === 1 ? Number(view.getBigUint64(tfdt.body + 4)) : view.getUint32(tfdt.body + 4)
  for (const box of boxes(view, traf.body, traf.end)) if (box.kind === 'trun') dts = addRun(view, box, dts, duration, defaults, frames)
}

function addRun(view: DataView, trun: Box, from: number, duration: number, defaults: number, frames: Frame[]): number {
  const flags = view.getUint32(trun.body) & 0xffffff
  const count = view.getUint32(trun.body + 4)
  let at = trun.body + 8
  if (flags & 0x1) at += 4
  const first = flags & 0x4 ? view.getUint32(at) : null
  if (flags & 0x4) at += 4
  let dts = from
  for (let n = 0; n < count; n++) {
    let takes = duration
    if (flags & 0x100) {
      takes = view.getUint32(at)
      at += 4
    }
    if (flags & 0x200) at += 4
    let said = n === 0 && first !== null ? first : defaults
    if (flags & 0x400) {
      said = view.getUint32(at)
      at += 4
    }
    let offset = 0
    if (flags & 0x800) {
      offset = view.getInt32(at)
      at += 4
    }
    frames.push({ pts: dts + offset, sync: (said & NOT_SYNC) === 0 })
    dts += takes
  }
  return dts
}
