/** Where we are, as the address says it: `#/` the wall, `#/camera/gate` live, `#/camera/gate/2026-11-20T20:00:00.000Z` then. */

class Route {
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
    this.go(null, null)
  }

  live(camera: string): void {
    this.go(camera, null)
  }

  play(camera: string, atMs: number): void {
    this.go(camera, atMs)
  }

  private go(camera: string | null, atMs: number | null): void {
    this.camera = camera
    this.atMs = atMs
    this.asked += 1
    let hash = '#/'
    if (camera !== null) hash += `camera/${encodeURIComponent(camera)}`
    if (camera !== null && atMs !== null) hash += `/${new Date(atMs).toISOString()}`
    if (location.hash !== hash) history.pushState(null, '', hash)
  }

  private read(): void {
    const [, place, id, at] = location.hash.split('/')
    const moment = Date.parse(at ?? '')
    this.camera = place === 'camera' && id ? decodeURIComponent(id) : null
    this.atMs = this.camera !== null && !Number.isNaN(moment) ? moment : null
    this.asked += 1
  }
}

export const route = new Route()
