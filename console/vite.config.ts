import { svelte } from '@sveltejs/vite-plugin-svelte'
import { defineConfig, type Plugin } from 'vite'

// The pages are served by the post itself under a policy that forbids anything inline or foreign, so nothing may be
// inlined into index.html (no module-preload shim, no data: URLs for assets).
/**
 * What the service worker keeps, by the names it is served under. first: what the page opens with, its words included, kept at once;
 * files: all, kept when somebody goes there. A thin link has better things to do than to read every page in advance.
 */
function listed(): Plugin {
  return {
    name: 'longwatch-listed',
    generateBundle(_, bundle) {
      const first = new Set(['favicon.svg', 'manifest.webmanifest'])
      const follow = (name: string): void => {
        const chunk = bundle[name]
        if (first.has(name) || chunk?.type !== 'chunk') return
        first.add(name)
        chunk.viteMetadata?.importedCss.forEach((css) => first.add(css))
        chunk.imports.forEach(follow)
      }
      for (const chunk of Object.values(bundle)) {
        if (chunk.type !== 'chunk') continue
        if ((chunk.isEntry && chunk.name === 'index') || /\/i18n\/\w+\/index\.ts$/.test(chunk.facadeModuleId ?? '')) follow(chunk.fileName)
      }
      const files = Object.keys(bundle).filter((name) => name.startsWith('assets/')).sort()
      const source = JSON.stringify({ first: [...first].sort(), files })
      this.emitFile({ type: 'asset', fileName: 'assets.json', source })
    },
  }
}

export default defineConfig({
  plugins: [svelte(), listed()],
  base: '/',
  build: {
    outDir: '../src/longwatch/web/static',
    emptyOutDir: true,
    target: 'es2022',
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: true,
    // The map of posts is that large, and read by those alone who open it; what the first page may weigh is a test.
    chunkSizeWarningLimit: 1_200,
    manifest: 'modules.json',
    rollupOptions: {
      input: { index: 'index.html', sw: 'src/sw.ts' },
      // A service worker governs what lies below its own address: at the root, under a name that stays.
      output: { entryFileNames: (chunk) => (chunk.name === 'sw' ? 'sw.js' : 'assets/[name]-[hash].js') },
    },
  },
  server: {
    // `npm run dev` against a post that runs on this machine.
    proxy: { '/api': { target: 'http://127.0.0.1:8460', ws: true } },
  },
})
