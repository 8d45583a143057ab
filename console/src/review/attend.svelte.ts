/**
 * What goes along with a clock of recorded footage on any page: the playhead on the timelines, the address that says where one is,
 * and the strip pictures that a drag needs. Called once, while a component is set up.
 */

import { untrack } from 'svelte'
import { route } from '../state/route.svelte'
import { session } from '../state/session.svelte'
import { timelines } from '../state/timelines.svelte'
import type { ReviewGroup } from './group.svelte'
import { strips } from './strips'

/** Strip pictures are read for what is in view, but never for more than this at once. */
const STRIPS_MS = 31 * 86_400_000
const STILL_MS = 10_000

export interface Place {
  /** The moment that the address asks for, as it stands there. */
  asked: () => string | undefined
  /** The address of a moment (RFC 3339), without the leading `#/`. */
  path: (at: string) => string
}

export function attend(group: ReviewGroup, cameras: () => readonly string[], place: Place): void {
  $effect(() => () => {
    group.close()
    timelines.playhead = null
  })

  // Somebody came with an address, went back in the history, or pressed on a timeline. The first wish the group was made with.
  let heard = untrack(() => route.asked)
  $effect(() => {
    const asked = route.asked
    if (asked === heard) return
    heard = asked
    const ms = Date.parse(untrack(place.asked) ?? '')
    if (!Number.isNaN(ms)) untrack(() => group.seek(ms))
  })

  $effect(() => {
    const ms = group.scrubMs ?? group.wallMs
    untrack(() => {
      timelines.playhead = { camera: cameras()[0] ?? '', ms }
      if (group.playing) timelines.follow(ms)
    })
  })
  $effect(() => untrack(() => timelines.reveal(group.wallMs)))

  // Begin by showing what is going on: playing, as a person who asked for a moment wants.
  $effect(() => untrack(() => group.play()))

  // The address says where one is, so that it can be sent to somebody: when it stands still.
  $effect(() => {
    const ms = group.wallMs
    if (group.playing || group.scrubMs !== null) return
    const timer = window.setTimeout(() => history.replaceState(null, '', `#/${place.path(new Date(ms).toISOString())}`), 400)
    return () => window.clearTimeout(timer)
  })

  // What scrubbing needs is read before anybody scrubs, once the view has come to rest.
  $effect(() => {
    const { fromMs, toMs } = timelines.view
    const of = cameras()
    const timer = window.setTimeout(() => {
      const from = Math.max(fromMs, group.wallMs - STRIPS_MS)
      void strips.prefetch(of, from, Math.min(toMs, session.nowMs(), from + STRIPS_MS))
    }, 250)
    return () => window.clearTimeout(timer)
  })

  // A pause of the finger: the exact pictures of that moment, of all cameras in one answer.
  $effect(() => {
    const ms = group.scrubMs ?? (group.pace === 'stills' ? Math.floor(group.wallMs / STILL_MS) * STILL_MS : null)
    if (ms === null) return
    const of = cameras()
    const timer = window.setTimeout(() => void strips.exact(of, ms), 45)
    return () => window.clearTimeout(timer)
  })
}
