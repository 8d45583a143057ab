/** The keyboard map: one list that both the keys and the `?` page come from. */

export type Action =
  | 'toggle' | 'back10' | 'forward10' | 'back1' | 'forward1' | 'frameBack' | 'frameForward'
  | 'fullscreen' | 'mute' | 'live' | 'wall' | 'zoomIn' | 'zoomOut' | 'now' | 'help'

interface Binding {
  keys: readonly string[]
  shown: string
  says: string
  group: 'Playback' | 'Picture' | 'Timeline' | 'Page'
}

export const BINDINGS: Record<Action, Binding> = {
  toggle: { keys: [' ', 'k'], shown: 'Space', says: 'Play or pause', group: 'Playback' },
  back10: { keys: ['ArrowLeft'], shown: '←', says: '10 seconds back', group: 'Playback' },
  forward10: { keys: ['ArrowRight'], shown: '→', says: '10 seconds on', group: 'Playback' },
  back1: { keys: ['ArrowDown'], shown: '↓', says: '1 second back', group: 'Playback' },
  forward1: { keys: ['ArrowUp'], shown: '↑', says: '1 second on', group: 'Playback' },
  frameBack: { keys: [','], shown: ',', says: 'One frame back', group: 'Playback' },
  frameForward: { keys: ['.'], shown: '.', says: 'One frame on', group: 'Playback' },
  live: { keys: ['l'], shown: 'l', says: 'Back to live', group: 'Playback' },
  fullscreen: { keys: ['f'], shown: 'f', says: 'Full screen', group: 'Picture' },
  mute: { keys: ['m'], shown: 'm', says: 'Sound on or off', group: 'Picture' },
  wall: { keys: ['Escape'], shown: 'Esc', says: 'All cameras', group: 'Picture' },
  zoomIn: { keys: ['+', '='], shown: '+', says: 'Closer', group: 'Timeline' },
  zoomOut: { keys: ['-'], shown: '−', says: 'Further away', group: 'Timeline' },
  now: { keys: ['0', 'Home'], shown: '0', says: 'Timeline to now', group: 'Timeline' },
  help: { keys: ['?'], shown: '?', says: 'This map', group: 'Page' },
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
