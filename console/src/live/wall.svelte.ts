/**
 * This person's layouts: kept at the post, so that they follow to another browser, and in this browser, so that the wall
 * looks the same while the post does not answer. What was changed meanwhile is handed in later.
 */

import { api } from '../api/client'
import { t } from '../i18n'
import { session } from '../state/session.svelte'
import { first, following, moved, nameOf, readable, MOST_LAYOUTS, type Grid, type Layout, type WallChoice } from './layout'

const PREFERENCE = 'wall'
const KEEP_AFTER_MS = 500
const AGAIN_MS = 10_000

interface Local {
  choice: WallChoice
  /** Not yet at the post. */
  owed: boolean
}

class Wall {
  private choice = $state.raw<WallChoice>({ v: 1, current: 'first', layouts: [first('')], cycleS: 0 })
  /** Changes that only this browser knows of, since the post did not take them. */
  apart = $state(false)
  private owed = false
  private person = ''
  private timer: number | undefined
  private changes = 0

  get layouts(): readonly Layout[] {
    return this.choice.layouts
  }

  get current(): Layout {
    return this.choice.layouts.find((layout) => layout.id === this.choice.current) ?? (this.choice.layouts[0] as Layout)
  }

  get cycleS(): number {
    return this.choice.cycleS
  }

  /** For whoever looks now. Called whenever the wall comes up; reads once for each person. */
  async open(person: string): Promise<void> {
    if (this.person === person) return
    this.person = person
    const local = this.stored()
    this.choice = local?.choice ?? { v: 1, current: 'first', layouts: [first(t('live.firstLayout'))], cycleS: 0 }
    this.owed = local?.owed ?? false
    if (this.owed) {
      this.settle(0)
      return
    }
    try {
      const kept = readable(await api.preference(PREFERENCE))
      if (kept && this.person === person && !this.owed) {
        this.choice = kept
        this.store()
      }
    } catch {
      // The post does not answer: what this browser remembers has to do.
    }
  }

  show(id: string): void {
    this.change({ ...this.choice, current: id })
  }

  /** The next layout on a wall screen: nobody's choice, so it is not kept. */
  turn(): void {
    this.choice = { ...this.choice, current: following(this.choice) }
  }

  cycle(seconds: number): void {
    this.change({ ...this.choice, cycleS: seconds })
  }

  grid(grid: Grid): void {
    this.put({ ...this.current, grid })
  }

  move(known: readonly string[], id: string, to: number): void {
    this.put(moved(this.current, known, id, to))
  }

  hide(id: string, hidden: boolean): void {
    const others = this.current.hidden.filter((one) => one !== id)
    this.put({ ...this.current, hidden: hidden ? [...others, id] : others })
  }

  rename(name: string): void {
    if (nameOf(name)) this.put({ ...this.current, name: nameOf(name) })
  }

  /** A copy of what is shown, under a name of its own. */
  add(name: string): void {
    if (!nameOf(name) || this.choice.layouts.length >= MOST_LAYOUTS) return
    const id = crypto.randomUUID?.() ?? `l${Date.now().toString(36)}`
    const layout = { ...this.current, id, name: nameOf(name) }
    this.change({ ...this.choice, current: id, layouts: [...this.choice.layouts, layout] })
  }

  remove(): void {
    if (this.choice.layouts.length < 2) return
    const layouts = this.choice.layouts.filter((layout) => layout.id !== this.choice.current)
    this.change({ ...this.choice, layouts, current: layouts[0]?.id ?? '' })
  }

  private put(layout: Layout): void {
    this.change({ ...this.choice, layouts: this.choice.layouts.map((one) => (one.id === layout.id ? layout : one)) })
  }

  private change(choice: WallChoice): void {
    this.choice = choice
    this.changes += 1
    this.owed = true
    this.store()
    this.settle(KEEP_AFTER_MS)
  }

  private settle(afterMs: number): void {
    window.clearTimeout(this.timer)
    this.timer = window.setTimeout(() => void this.handIn(), afterMs)
  }

  private async handIn(): Promise<void> {
    const changes = this.changes
    try {
      await api.keepPreference(PREFERENCE, this.choice)
      if (this.changes !== changes) return // changed meanwhile: that change has its own turn
      this.owed = false
      this.apart = false
      this.store()
    } catch {
      this.apart = true
      if (session.phase === 'in') this.settle(AGAIN_MS)
    }
  }

  private store(): void {
    try {
      localStorage.setItem(this.key(), JSON.stringify({ choice: this.choice, owed: this.owed } satisfies Local))
    } catch {
      // A browser that keeps nothing: the post has it.
    }
  }

  private stored(): Local | null {
    try {
      const value = JSON.parse(localStorage.getItem(this.key()) ?? 'null') as Partial<Local> | null
      const choice = readable(value?.choice)
      return choice ? { choice, owed: value?.owed === true } : null
    } catch {
      return null
    }
  }

  private key(): string {
    return `longwatch-wall:${this.person}`
  }
}

export const wall = new Wall()
