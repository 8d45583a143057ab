/**
 * How the page looks and which language it speaks: the system's choice, unless somebody chose. Kept in this browser, so that
 * it holds before signing in; and with the person's preferences, so that it follows them to another screen.
 */

import { api } from '../api/client'
import { LANGUAGES, nearest, speak, type Language } from '../i18n'

export type Theme = 'system' | 'light' | 'dark'
export type Contrast = 'system' | 'more'

interface Chosen {
  theme: Theme
  contrast: Contrast
  /** null: the browser's. */
  language: Language | null
}

const KEY = 'longwatch-look'
const PREFERENCE = 'look'

function readable(value: unknown): Chosen {
  const said = value && typeof value === 'object' ? (value as Record<string, unknown>) : {}
  return {
    theme: said.theme === 'light' || said.theme === 'dark' ? said.theme : 'system',
    contrast: said.contrast === 'more' ? 'more' : 'system',
    language: typeof said.language === 'string' && said.language in LANGUAGES ? (said.language as Language) : null,
  }
}

function stored(): Chosen {
  try {
    return readable(JSON.parse(localStorage.getItem(KEY) ?? 'null'))
  } catch {
    return readable(null)
  }
}

class Look {
  chosen = $state.raw<Chosen>(stored())
  /** The language whose messages are there; null until the first have been read. */
  spoken = $state<Language | null>(null)
  private systemDark = $state(false)

  constructor() {
    const query = matchMedia('(prefers-color-scheme: dark)')
    this.systemDark = query.matches
    query.addEventListener('change', () => (this.systemDark = query.matches))
    this.apply()
  }

  get dark(): boolean {
    return this.chosen.theme === 'system' ? this.systemDark : this.chosen.theme === 'dark'
  }

  get language(): Language {
    return this.chosen.language ?? nearest(navigator.languages)
  }

  /** The next look of the button at the top: the other one; the system's own is not stored. */
  toggle(): void {
    const wanted: Theme = this.dark ? 'light' : 'dark'
    this.choose({ theme: (wanted === 'dark') === this.systemDark ? 'system' : wanted })
  }

  choose(some: Partial<Chosen>): void {
    this.chosen = { ...this.chosen, ...some }
    this.keep()
    this.apply()
    // A post that does not answer keeps no preferences; this browser has them.
    void api.keepPreference(PREFERENCE, this.chosen).catch(() => undefined)
  }

  /** What the person chose elsewhere, once it is known who looks. */
  async follow(): Promise<void> {
    try {
      const kept = await api.preference(PREFERENCE)
      if (kept === null) return
      this.chosen = readable(kept)
      this.keep()
      this.apply()
    } catch {
      // As above.
    }
  }

  private keep(): void {
    try {
      localStorage.setItem(KEY, JSON.stringify(this.chosen))
    } catch {
      // A browser that keeps nothing: the choice lasts as long as the page.
    }
  }

  private apply(): void {
    const root = document.documentElement
    if (this.chosen.theme === 'system') delete root.dataset.theme
    else root.dataset.theme = this.chosen.theme
    if (this.chosen.contrast === 'system') delete root.dataset.contrast
    else root.dataset.contrast = this.chosen.contrast
    const wanted = this.language
    if (wanted !== this.spoken) void speak(wanted).then(() => (this.spoken = wanted))
  }
}

export const look = new Look()
