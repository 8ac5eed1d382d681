import { join } from 'node:path'
import { defineConfig, type InlineConfig } from 'vite'

/** Where `npm run web` finds the shop whose API it uses. */
const shop = process.env.SHOP_URL || 'http://127.0.0.1'

/** The one configuration of the tool chain, for the build and for the development server. */
export function webConfig({ outDir }: { outDir: string }): InlineConfig {
  return {
    configFile: false,
    root: import.meta.dirname,
    logLevel: 'warn',
    oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
    build: {
      outDir,
      // The shop, and what operators open on an entry point of their own.
      rolldownOptions: {
        input: ['index.html', 'console.html'].map((file) => join(import.meta.dirname, file)),
      },
      emptyOutDir: true,
      // The policy of the pages allows no data: URL.
      assetsInlineLimit: 0,
      modulePreload: { polyfill: false },
      reportCompressedSize: false,
    },
    server: {
      host: '127.0.0.1',
      proxy: { '/api': { target: shop, changeOrigin: false }, '/docs': shop },
    },
  }
}

export default defineConfig(webConfig({ outDir: 'dist' }))
