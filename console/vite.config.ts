import { svelte } from '@sveltejs/vite-plugin-svelte'
import { defineConfig } from 'vite'

// The pages are served by the post itself under a policy that forbids anything inline or foreign, so nothing may be
// inlined into index.html (no module-preload shim, no data: URLs for assets).
export default defineConfig({
  plugins: [svelte()],
  base: '/',
  build: {
    outDir: '../src/longwatch/web/static',
    emptyOutDir: true,
    target: 'es2022',
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: true,
  },
  server: {
    // `npm run dev` against a post that runs on this machine.
    proxy: { '/api': { target: 'http://127.0.0.1:8460', ws: true } },
  },
})
