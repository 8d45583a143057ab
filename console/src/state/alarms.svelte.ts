/** What the post has raised: what lasts, and what is over and nobody has answered for. One instance for the page. */

import { api, Problem } from '../api/client'
import type { Alarm } from '../api/types'

class Alarms {
  items = $state.raw<Alarm[]>([])
  problem = $state('')

  /** Those that somebody still has to answer for. */
  get waiting(): Alarm[] {
    return this.items.filter((alarm) => alarm.acknowledged === null)
  }

  async read(): Promise<void> {
    try {
      this.items = (await api.alarms()).items
      this.problem = ''
    } catch (error) {
      // A post that does not answer is told at the top of the page already.
      this.problem = error instanceof Problem && error.status !== 0 ? error.message : ''
    }
  }

  async acknowledge(alarm: Alarm, reason: string): Promise<void> {
    await api.acknowledge(alarm.id, reason)
    await this.read()
  }
}

export const alarms = new Alarms()
