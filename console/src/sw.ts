/// <reference lib="webworker" />
/**
 * The service worker: keeps the shell of the page, so that it opens without the post and says so. It never keeps an answer of the API,
 * a picture or video: what is shown of cameras always comes from the post itself.
 */

const worker = self as unknown as ServiceWorkerGlobalScope
const SHELL = 'longwatch-shell'
/** So long a page waits for the post before it opens from what is kept. */
const PATIENCE_MS = 3_000

/** Keeps what the page opens with, and drops what an upgrade has replaced. */
async function fill(): Promise<void> {
  const cache = await caches.open(SHELL)
  const answer = await fetch('/assets.json', { cache: 'no-store' })
  const { first, files } = (await answer.json()) as { first: string[]; files: string[] }
  const missing: Promise<void>[] = [cache.add(new Request('/', { cache: 'reload' }))]
  for (const file of first) if (!(await cache.match(`/${file}`))) missing.push(cache.add(`/${file}`))
  await Promise.all(missing)
  const known = new Set(['/', ...first.map((file) => `/${file}`), ...files.map((file) => `/${file}`)])
  for (const kept of await cache.keys()) if (!known.has(new URL(kept.url).pathname)) await cache.delete(kept)
}

async function asset(request: Request): Promise<Response> {
  const kept = await caches.match(request)
  if (kept) return kept
  const answer = await fetch(request)
  if (answer.ok) await (await caches.open(SHELL)).put(request, answer.clone())
  return answer
}

/** From the post; from what is kept where it does not answer in time. */
async function page(request: Request): Promise<Response> {
  try {
    const answer = await fetch(request, { signal: AbortSignal.timeout(PATIENCE_MS) })
    if (answer.ok || answer.status < 500) return answer
  } catch {
    // No answer: as below.
  }
  return (await caches.match('/')) ?? Response.error()
}

worker.addEventListener('install', (event) => {
  event.waitUntil(fill().then(() => worker.skipWaiting()))
})

worker.addEventListener('activate', (event) => {
  event.waitUntil(worker.clients.claim())
})

worker.addEventListener('message', (event) => {
  // The page saw the post again: an upgrade may have brought other files.
  if (event.data === 'renew') event.waitUntil(fill().catch(() => undefined))
})

/** What a message of the post says; its maker's service could not read it. */
interface Told {
  key?: string
  title?: string
  body?: string
  link?: string
  grave?: boolean
  /** Of which there is a picture, for whoever is signed in here. */
  event?: string
}

/** A picture is made some seconds after its event began. */
const PICTURE_TRIES = 6
const PICTURE_REST_MS = 1_000

/** The picture of an event, fetched from the post as the page would, in the name of whoever is signed in; '' where there is none to be had from here. */
async function picture(event: string): Promise<string> {
  if (!/^[a-z0-9.-]{1,80}$/.test(event)) return ''
  for (let n = 0; n < PICTURE_TRIES; n += 1) {
    try {
      const answer = await fetch(`/api/v1/events/${event}/picture.jpg`, { cache: 'no-store', signal: AbortSignal.timeout(PATIENCE_MS) })
      if (answer.ok) return asText(new Uint8Array(await answer.arrayBuffer()))
      if (answer.status !== 404) return ''
    } catch {
      return ''
    }
    await new Promise((done) => setTimeout(done, PICTURE_REST_MS))
  }
  return ''
}

/** Browsers fetch the picture of a notification without the login, so it is handed over whole. */
function asText(bytes: Uint8Array): string {
  let text = ''
  for (const byte of bytes) text += String.fromCharCode(byte)
  return `data:image/jpeg;base64,${btoa(text)}`
}

worker.addEventListener('push', (event) => {
  let told: Told = {}
  try {
    told = (event.data?.json() ?? {}) as Told
  } catch {
    // Not one of ours; browsers want something shown all the same.
  }
  // The same key again is the same message: it takes the place of the first.
  const shown = { body: told.body ?? '', tag: told.key ?? 'longwatch', icon: '/favicon.svg', requireInteraction: told.grave === true, data: told.link ?? '' }
  event.waitUntil(tell(told, shown))
})

/** Words at once; where a picture comes, the same again with it, without a second sound: the tag is the same. */
async function tell(told: Told, shown: NotificationOptions): Promise<void> {
  const title = told.title || 'Longwatch'
  await worker.registration.showNotification(title, shown)
  const image = told.event ? await picture(told.event) : ''
  if (!image) return
  const there = await worker.registration.getNotifications({ tag: shown.tag ?? '' })
  if (there.length) await worker.registration.showNotification(title, { ...shown, image } as NotificationOptions)
}

worker.addEventListener('notificationclick', (event) => {
  event.notification.close()
  const link: unknown = event.notification.data
  const to = new URL(typeof link === 'string' && link.startsWith('/') ? `/#${link}` : '/', worker.location.origin).href
  event.waitUntil(show(to))
})

/** In the page that is open, else in a new one. Whoever is not signed in is asked to first. */
async function show(to: string): Promise<void> {
  const pages = await worker.clients.matchAll({ type: 'window' })
  const page = pages[0]
  if (!page) return void (await worker.clients.openWindow(to))
  await page.focus()
  page.postMessage({ go: to })
}

worker.addEventListener('fetch', (event) => {
  const { request } = event
  const url = new URL(request.url)
  if (request.method !== 'GET' || url.origin !== worker.location.origin) return
  if (request.mode === 'navigate' && url.pathname === '/') event.respondWith(page(request))
  // Names under assets/ carry a hash of what they hold: what is kept is what the post would send.
  else if (url.pathname.startsWith('/assets/')) event.respondWith(asset(request))
})
