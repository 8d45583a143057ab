/** What is heard: one camera at a time, unless somebody wants more. The volume is kept in this browser. */

const KEY = 'longwatch-sound'

interface Kept {
  volume: number
  several: boolean
}

function kept(): Kept {
  try {
    const value = JSON.parse(localStorage.getItem(KEY) ?? 'null') as Partial<Kept> | null
    const volume = typeof value?.volume === 'number' ? Math.max(0, Math.min(1, value.volume)) : 0.8
    return { volume, several: value?.several === true }
  } catch {
    return { volume: 0.8, several: false }
  }
}

class Sound {
  private choice = $state.raw<Kept>(kept())
  private heard = $state.raw<readonly string[]>([])

  get volume(): number {
    return this.choice.volume
  }

  set volume(volume: number) {
    this.keep({ ...this.choice, volume })
  }

  get several(): boolean {
    return this.choice.several
  }

  set several(several: boolean) {
    this.keep({ ...this.choice, several })
    if (!several) this.heard = this.heard.slice(-1)
  }

  of(camera: string): boolean {
    return this.heard.includes(camera)
  }

  toggle(camera: string): void {
    if (this.of(camera)) this.heard = this.heard.filter((one) => one !== camera)
    else this.heard = this.several ? [...this.heard, camera] : [camera]
  }

  private keep(choice: Kept): void {
    this.choice = choice
    try {
      localStorage.setItem(KEY, JSON.stringify(choice))
    } catch {
      // A browser that keeps nothing: the volume lasts as long as the page.
    }
  }
}

export const sound = new Sound()
