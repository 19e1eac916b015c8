import { defineConfig } from 'vite'

/**
 * One `vite build` makes two things: the pages with hashed assets, and `saoma-login.js`, the element as one
 * file under a name that other sites can rely on. Nothing is inlined into the pages, so that they run under a
 * policy of `default-src 'self'`.
 */
export default defineConfig({
  base: '/',
  builder: {
    buildApp: async (builder) => {
      // In this order: building the pages empties the folder.
      for (const name of ['client', 'embed']) {
        const environment = builder.environments[name]
        if (environment) await builder.build(environment)
      }
    },
  },
  environments: {
    client: {
      build: {
        target: 'es2022',
        assetsInlineLimit: 0,
        modulePreload: { polyfill: false },
        rolldownOptions: {
          input: ['index.html', 'phone.html', 'verify.html', 'table.html', 'chat.html', 'inbox.html', 'job.html'],
        },
      },
    },
    embed: {
      consumer: 'client',
      build: {
        target: 'es2022',
        emptyOutDir: false,
        copyPublicDir: false,
        rolldownOptions: {
          input: 'src/embed.ts',
          preserveEntrySignatures: 'exports-only',
          output: { entryFileNames: 'saoma-login.js', codeSplitting: false },
        },
      },
    },
  },
})
