/** What keys and buttons ask of the clock, wherever recorded footage is played. */

import type { Action } from '../keys'
import type { ReviewGroup } from './group.svelte'

const JUMPS: Partial<Record<Action, number>> = { back10: -10_000, forward10: 10_000, back1: -1_000, forward1: 1_000 }

/** Whether it was a wish about playing, and was done. */
export function perform(group: ReviewGroup, action: Action): boolean {
  const jump = JUMPS[action]
  if (jump !== undefined) group.skip(jump)
  else if (action === 'toggle') group.toggle()
  else if (action === 'frameBack' || action === 'frameForward') group.step(action === 'frameBack' ? -1 : 1)
  else if (action === 'slower' || action === 'faster') group.faster(action === 'faster' ? 1 : -1)
  else if (action === 'reverse') group.turn()
  else return false
  return true
}
