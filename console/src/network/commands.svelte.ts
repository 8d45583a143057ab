/** What this hub told one post to do, read again while a page shows it. */

import { posts as calls, type Command } from '../api/posts'

const READ_MS = 2_000
const OPEN = new Set<Command['state']>(['waiting', 'sent', 'trial', 'withdrawing'])

export function isOpen(command: Command): boolean {
  return OPEN.has(command.state)
}

export class Commands {
  items = $state.raw<readonly Command[] | null>(null)
  problem = $state.raw<unknown>(null)

  private timer: number | undefined
  private closed = false

  constructor(private readonly post: string) {}

  /** Keep reading until the returned function is called. */
  watch(): () => void {
    this.closed = false
    void this.turn()
    return () => {
      this.closed = true
      window.clearTimeout(this.timer)
    }
  }

  async read(): Promise<void> {
    try {
      this.items = await calls.commands(this.post)
      this.problem = null
    } catch (error) {
      this.problem = error
    }
  }

  /** Somebody gave one just now: it shows before the next reading. */
  add(command: Command): void {
    this.items = [command, ...(this.items ?? []).filter((each) => each.id !== command.id)]
  }

  private async turn(): Promise<void> {
    window.clearTimeout(this.timer)
    if (!document.hidden) await this.read()
    if (!this.closed) this.timer = window.setTimeout(() => void this.turn(), READ_MS)
  }
}
