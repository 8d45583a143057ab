/** The keyboard map: one list that both the keys and the `?` page come from. Words: i18n, area `review`, `key.<action>`. */

export type Action =
  | 'toggle' | 'back10' | 'forward10' | 'back1' | 'forward1' | 'frameBack' | 'frameForward' | 'slower' | 'faster' | 'reverse'
  | 'fullscreen' | 'mute' | 'live' | 'wall' | 'number' | 'zoomIn' | 'zoomOut' | 'now' | 'markIn' | 'markOut' | 'unmark'
  | 'calendar' | 'goto' | 'ask' | 'reviewed' | 'help'

export const GROUPS = ['playback', 'picture', 'timeline', 'page'] as const

interface Binding {
  keys: readonly string[]
  /** As it stands on the key; a few have a name instead (`review.keyName.*`). */
  shown: string
  group: (typeof GROUPS)[number]
}

const DIGITS = ['1', '2', '3', '4', '5', '6', '7', '8', '9']

export const BINDINGS: Record<Action, Binding> = {
  toggle: { keys: [' ', 'k'], shown: 'space', group: 'playback' },
  back10: { keys: ['ArrowLeft'], shown: '←', group: 'playback' },
  forward10: { keys: ['ArrowRight'], shown: '→', group: 'playback' },
  back1: { keys: ['ArrowDown'], shown: '↓', group: 'playback' },
  forward1: { keys: ['ArrowUp'], shown: '↑', group: 'playback' },
  frameBack: { keys: [','], shown: ',', group: 'playback' },
  frameForward: { keys: ['.'], shown: '.', group: 'playback' },
  slower: { keys: ['<'], shown: '<', group: 'playback' },
  faster: { keys: ['>'], shown: '>', group: 'playback' },
  reverse: { keys: ['j'], shown: 'j', group: 'playback' },
  live: { keys: ['l'], shown: 'l', group: 'playback' },
  fullscreen: { keys: ['f'], shown: 'f', group: 'picture' },
  mute: { keys: ['m'], shown: 'm', group: 'picture' },
  number: { keys: DIGITS, shown: '1 – 9', group: 'picture' },
  wall: { keys: ['Escape'], shown: 'Esc', group: 'picture' },
  zoomIn: { keys: ['+', '='], shown: '+', group: 'timeline' },
  zoomOut: { keys: ['-'], shown: '−', group: 'timeline' },
  now: { keys: ['0', 'Home'], shown: '0', group: 'timeline' },
  markIn: { keys: ['i'], shown: 'i', group: 'timeline' },
  markOut: { keys: ['o'], shown: 'o', group: 'timeline' },
  unmark: { keys: ['x'], shown: 'x', group: 'timeline' },
  calendar: { keys: ['c'], shown: 'c', group: 'timeline' },
  goto: { keys: ['g', '/'], shown: 'g', group: 'timeline' },
  ask: { keys: ['a'], shown: 'a', group: 'timeline' },
  reviewed: { keys: ['r'], shown: 'r', group: 'page' },
  help: { keys: ['?'], shown: '?', group: 'page' },
}

/** What a key press asks for; null while somebody types, or with a modifier that belongs to the browser. */
export function actionOf(event: KeyboardEvent): Action | null {
  if (event.ctrlKey || event.metaKey || event.altKey) return null
  const target = event.target
  if (target instanceof HTMLElement && target.closest('input, textarea, select, dialog, [contenteditable]')) return null
  // Space and Enter on a focused button belong to the button.
  if (event.key === ' ' && target instanceof HTMLElement && target.closest('button, a, summary')) return null
  for (const [action, binding] of Object.entries(BINDINGS)) if (binding.keys.includes(event.key)) return action as Action
  return null
}

/** The number of `number`, from 1. */
export function numberOf(event: KeyboardEvent): number {
  return DIGITS.indexOf(event.key) + 1
}
