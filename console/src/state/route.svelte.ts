/**
 * Where we are, as the address says it: `#/` the wall, `#/camera/gate` live, `#/camera/gate/2026-11-20T20:00:00.000Z` then,
 * `#/exports/17?from=...` any other page with its parts and its query.
 */

class Route {
  /** Name of the page (pages.ts); '' is the wall, 'camera' one camera. */
  page = $state('')
  /** What follows the page's name in the address. */
  rest = $state.raw<string[]>([])
  query = $state.raw(new URLSearchParams())
  camera = $state<string | null>(null)
  /** The moment that playback was asked to begin at; null is live. */
  atMs = $state<number | null>(null)
  /** Rises with each wish to go to a moment, so that the same one can be asked for twice. */
  asked = $state(0)

  constructor() {
    this.read()
    window.addEventListener('popstate', () => this.read())
  }

  wall(): void {
    this.go('')
  }

  live(camera: string): void {
    this.go(`camera/${encodeURIComponent(camera)}`)
  }

  play(camera: string, atMs: number): void {
    this.go(`camera/${encodeURIComponent(camera)}/${new Date(atMs).toISOString()}`)
  }

  /** path: without the leading `#/`. */
  go(path: string): void {
    const hash = `#/${path}`
    if (location.hash !== hash) history.pushState(null, '', hash)
    this.read()
  }

  private read(): void {
    const [path = '', query = ''] = location.hash.replace(/^#\/?/, '').split('?', 2)
    const [page = '', ...rest] = path.split('/').map(decoded)
    const moment = Date.parse(rest[1] ?? '')
    this.page = page
    this.rest = rest
    this.query = new URLSearchParams(query)
    this.camera = page === 'camera' && rest[0] ? rest[0] : null
    this.atMs = this.camera !== null && !Number.isNaN(moment) ? moment : null
    this.asked += 1
  }
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part)
  } catch {
    return part
  }
}

export const route = new Route()
