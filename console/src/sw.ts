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
  event.waitUntil(worker.registration.showNotification(told.title || 'Longwatch', shown))
})

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
