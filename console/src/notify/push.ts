/** Web push on this browser: whether it can be, and switching it on and off. */

/** Why it cannot be: a key of `notify.pushNot`; '' where it can. */
export function obstacle(): '' | 'insecure' | 'browser' | 'refused' {
  if (!window.isSecureContext) return 'insecure'
  if (!('serviceWorker' in navigator) || !('PushManager' in window) || !('Notification' in window)) return 'browser'
  return Notification.permission === 'denied' ? 'refused' : ''
}

/** What the post calls this browser; '' where it is not told. */
export async function ownMark(): Promise<string> {
  const kept = await navigator.serviceWorker?.getRegistration()
  const there = await kept?.pushManager?.getSubscription()
  if (!there) return ''
  const digest = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(there.endpoint))
  return Array.from(new Uint8Array(digest).slice(0, 8), (byte) => byte.toString(16).padStart(2, '0')).join('')
}

/** Asks the person, then the browser's maker. null where the person does not want it. */
export async function subscribe(key: string): Promise<PushSubscriptionJSON | null> {
  if ((await Notification.requestPermission()) !== 'granted') return null
  const kept = await navigator.serviceWorker.ready
  const before = await kept.pushManager.getSubscription()
  // One that was made for another key (the post lost its own) can be of no use any more.
  if (before && !sameKey(before.options.applicationServerKey, key)) await before.unsubscribe()
  return (await kept.pushManager.subscribe({ userVisibleOnly: true, applicationServerKey: bytes(key) })).toJSON()
}

export async function unsubscribe(): Promise<void> {
  const kept = await navigator.serviceWorker?.getRegistration()
  await (await kept?.pushManager?.getSubscription())?.unsubscribe()
}

function sameKey(there: ArrayBuffer | null, key: string): boolean {
  const wanted = bytes(key)
  const found = new Uint8Array(there ?? new ArrayBuffer(0))
  return found.length === wanted.length && found.every((byte, n) => byte === wanted[n])
}

/** base64url without padding. */
export function bytes(text: string): Uint8Array<ArrayBuffer> {
  const raw = atob(text.replaceAll('-', '+').replaceAll('_', '/'))
  const made = new Uint8Array(raw.length)
  for (let n = 0; n < raw.length; n += 1) made[n] = raw.charCodeAt(n)
  return made
}
