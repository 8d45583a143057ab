/**
 * In which colours a thermal camera's grey is shown. The picture is recorded as it came, white for hot; colours are laid on by this page when it is
 * looked at, so each person has their own, and an export has none. Kept in this browser, and with the person's preferences.
 */

import { api } from '../api/client'
import type { Camera } from '../api/types'
import { readable, type Palette } from './tables'

const KEY = 'longwatch-palettes'
const PREFERENCE = 'palettes'

function stored(): Record<string, Palette> {
  try {
    return readable(JSON.parse(localStorage.getItem(KEY) ?? 'null'))
  } catch {
    return {}
  }
}

class Chosen {
  private by = $state.raw<Record<string, Palette>>(stored())

  of(camera: Camera): Palette {
    return camera.kind === 'thermal' ? (this.by[camera.id] ?? 'sent') : 'sent'
  }

  /** What a style property of the picture takes; undefined: as it was sent. */
  filter(camera: Camera | undefined): string | undefined {
    const name = camera ? this.of(camera) : 'sent'
    return name === 'sent' ? undefined : `url(#palette-${name})`
  }

  choose(camera: string, name: Palette): void {
    const { [camera]: _, ...others } = this.by
    this.keep(name === 'sent' ? others : { ...others, [camera]: name })
    // A post that does not answer keeps no preferences; this browser has them.
    void api.keepPreference(PREFERENCE, this.by).catch(() => undefined)
  }

  /** What the person chose elsewhere, once it is known who looks. */
  async follow(): Promise<void> {
    try {
      const kept = await api.preference(PREFERENCE)
      if (kept !== null) this.keep(readable(kept))
    } catch {
      // As above.
    }
  }

  private keep(by: Record<string, Palette>): void {
    this.by = by
    try {
      localStorage.setItem(KEY, JSON.stringify(by))
    } catch {
      // A browser that keeps nothing: the choice lasts as long as the page.
    }
  }
}

export const palettes = new Chosen()
