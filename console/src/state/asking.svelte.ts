/** What somebody is about to ask a post for: set by a click on a chequerboard, a key or a button; the dialogue shows it. */

export interface Stretch {
  fromMs: number
  toMs: number
}

class Asking {
  /** The camera, and the moment around which it is wanted; or exactly this stretch. */
  wanted = $state.raw<{ camera: string; ms: number; stretch?: Stretch } | null>(null)

  open(camera: string, ms: number, stretch?: Stretch): void {
    this.wanted = { camera, ms, ...(stretch ? { stretch } : {}) }
  }

  close(): void {
    this.wanted = null
  }
}

export const asking = new Asking()
