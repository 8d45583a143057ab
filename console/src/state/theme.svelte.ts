/** Light or dark: the system's choice, unless somebody chose here. Kept in this browser only. */

export type Theme = 'system' | 'light' | 'dark'

const KEY = 'longwatch-theme'

function stored(): Theme {
  try {
    const value = localStorage.getItem(KEY)
    return value === 'light' || value === 'dark' ? value : 'system'
  } catch {
    return 'system'
  }
}

class ThemeChoice {
  choice = $state<Theme>(stored())
  private systemDark = $state(false)

  constructor() {
    const query = matchMedia('(prefers-color-scheme: dark)')
    this.systemDark = query.matches
    query.addEventListener('change', () => (this.systemDark = query.matches))
    this.apply()
  }

  get dark(): boolean {
    return this.choice === 'system' ? this.systemDark : this.choice === 'dark'
  }

  toggle(): void {
    const wanted: Theme = this.dark ? 'light' : 'dark'
    this.choice = (wanted === 'dark') === this.systemDark ? 'system' : wanted
    try {
      if (this.choice === 'system') localStorage.removeItem(KEY)
      else localStorage.setItem(KEY, this.choice)
    } catch {
      // A browser that keeps nothing: the choice lasts as long as the page.
    }
    this.apply()
  }

  private apply(): void {
    if (this.choice === 'system') delete document.documentElement.dataset.theme
    else document.documentElement.dataset.theme = this.choice
  }
}

export const theme = new ThemeChoice()
