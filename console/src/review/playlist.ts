/** The parts of a camera's footage as its playlist lists them (RFC 8216, and our own URLs). No I/O. */

export interface Part {
  /** Run and decode time of the first sample: the same part listed again, perhaps longer. */
  key: string
  /** Relative to the playlist. */
  uri: string
  mapUri: string
  fromMs: number
  toMs: number
}

/** Only ours are understood: each part with its wall time. Parts without one are left out. */
export function parsePlaylist(text: string): Part[] {
  const parts: Part[] = []
  let mapUri = ''
  let durationMs = 0
  let wallMs = NaN
  for (const line of text.split('\n')) {
    if (line.startsWith('#EXT-X-MAP:')) mapUri = /URI="([^"]*)"/.exec(line)?.[1] ?? ''
    else if (line.startsWith('#EXT-X-PROGRAM-DATE-TIME:')) wallMs = wallOf(line.slice(25))
    else if (line.startsWith('#EXTINF:')) durationMs = Number.parseFloat(line.slice(8)) * 1_000
    else if (line && !line.startsWith('#')) {
      const query = new URLSearchParams(line.split('?')[1] ?? '')
      if (!Number.isNaN(wallMs) && mapUri) {
        parts.push({ key: `${query.get('run')}/${query.get('start')}`, uri: line, mapUri, fromMs: wallMs, toMs: wallMs + durationMs })
      }
      wallMs = NaN
    }
  }
  return parts
}

/** RFC 3339 with microseconds, which Date.parse cuts to milliseconds. */
function wallOf(text: string): number {
  const fraction = /\.\d{3}(\d{1,3})/.exec(text)?.[1] ?? ''
  return Date.parse(text.replace(/(\.\d{3})\d+/, '$1')) + (fraction ? Number(`0.${fraction}`) : 0)
}
