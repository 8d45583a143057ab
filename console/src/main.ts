import { mount } from 'svelte'
import App from './App.svelte'
import './style/tokens.css'
import './style/base.css'

const target = document.getElementById('app')
if (!target) throw new Error('index.html has no #app')
mount(App, { target })

// Keeps the shell for when the post does not answer. Browsers allow it by TLS and on this machine alone; without it nothing is missing.
if ('serviceWorker' in navigator && import.meta.env.PROD) {
  void navigator.serviceWorker.register('/sw.js').then(
    (kept) => kept.active?.postMessage('renew'),
    () => undefined,
  )
  // Somebody clicked on a message: the page that is open goes where it leads.
  navigator.serviceWorker.addEventListener('message', (event: MessageEvent<{ go?: unknown }>) => {
    const to = event.data?.go
    if (typeof to === 'string' && to.startsWith(`${location.origin}/#/`)) location.hash = to.slice(to.indexOf('#'))
  })
}
