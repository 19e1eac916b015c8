import { resolve } from 'node:path'
import { defineConfig } from 'vite'
import { copyDocsViewer } from './docs-viewer.ts'
import { hostSdk } from './hosted-sdk.ts'

/**
 * One `vite build` makes five things:
 *
 * 1. the pages with hashed assets. Nothing is inlined into them, so that they run under a policy of
 *    `default-src 'self'`.
 * 2. `saoma-login.js`, the element, under a name that other sites can rely on. Socket.IO's client is a file
 *    of its own, which the element loads when the code is on its way.
 * 3. `sdk/<version>/saoma.js`, the SDK as one file, which a page can load with its hash. A part that is
 *    loaded later would not be covered by that hash, so this file has no parts.
 * 4. `saoma-callback.js`, all that the callback page of a registered application needs.
 * 5. `docs/`, the page of the API documents: the files of `public/docs`, and the viewer of its package.
 */
export default defineConfig({
  base: '/',
  builder: {
    buildApp: async (builder) => {
      // In this order: building the pages empties the folder.
      for (const name of ['client', 'embed', 'callback', 'sdk']) {
        const environment = builder.environments[name]
        if (environment) await builder.build(environment)
      }
      const { root, build } = builder.config
      const out = resolve(root, build.outDir)
      await hostSdk(root, out)
      await copyDocsViewer(root, out)
    },
  },
  environments: {
    client: {
      build: {
        target: 'es2022',
        assetsInlineLimit: 0,
        modulePreload: { polyfill: false },
        rolldownOptions: {
          input: [
            'index.html',
            'device.html',
            'interaction.html',
            'logout.html',
            'phone.html',
            'verify.html',
            'table.html',
            'chat.html',
            'inbox.html',
            'job.html',
          ],
        },
      },
    },
    embed: {
      consumer: 'client',
      build: {
        target: 'es2022',
        emptyOutDir: false,
        copyPublicDir: false,
        // Vite would preload parts from the origin of the page, which is another than that of the element.
        modulePreload: false,
        rolldownOptions: {
          input: 'src/embed.ts',
          preserveEntrySignatures: 'exports-only',
          output: { entryFileNames: 'saoma-login.js', chunkFileNames: 'sdk/parts/[name]-[hash].js' },
        },
      },
    },
    callback: {
      consumer: 'client',
      build: {
        target: 'es2022',
        emptyOutDir: false,
        copyPublicDir: false,
        rolldownOptions: {
          input: 'src/callback.ts',
          output: { entryFileNames: 'saoma-callback.js', codeSplitting: false },
        },
      },
    },
    sdk: {
      consumer: 'client',
      build: {
        target: 'es2022',
        emptyOutDir: false,
        copyPublicDir: false,
        rolldownOptions: {
          input: 'src/sdk.ts',
          preserveEntrySignatures: 'exports-only',
          output: { entryFileNames: 'sdk/saoma.js', codeSplitting: false },
        },
      },
    },
  },
})
