/*
 * Makes dist/ for WeChat's developer tools. Each page's script becomes one CommonJS file, and the code that
 * pages share becomes one more. The components of the library that the pages use are built in the same way.
 *
 *   node build.ts [--watch] [--publish] [--out <folder>]
 *
 * Settings: SAOMA_ORIGIN, SAOMA_PAGE, SAOMA_PERSON, SAOMA_APP, SAOMA_PHONE_NUMBER, SAOMA_LOGIN_TEMPLATE.
 *
 * --publish rejects settings that are only for the developer tools.
 */

import { statSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { build, type Plugin } from 'vite'
import { readSettings } from './settings.ts'
import { findDependency, findSources, library, libraryPlace, readStatic } from './sources.ts'

const root = fileURLToPath(new URL('.', import.meta.url))
/** WeChat's size limit for a package. */
const MOST_BYTES: number = 2 * 1024 * 1024
/** Every engine that runs the base library of project.config.json understands this. */
const ENGINES = 'es2018'

const { values } = parseArgs({
  options: {
    watch: { type: 'boolean', default: false },
    publish: { type: 'boolean', default: false },
    out: { type: 'string' },
  },
})
const { watch, publish } = values
const out = resolve(values.out ?? join(root, 'dist'))
const { origin, page, person, app, phoneNumber, loginTemplate } = readSettings(process.env, publish)

const { scripts, statics } = findSources(page)
const entries = new Set(Object.values(scripts))

const packaging: Plugin = {
  name: 'saoma:package',
  resolveId: (name, importer) =>
    importer?.startsWith(library) && /^[a-z]/.test(name) && !entries.has(name) ? findDependency(name) : undefined,
  buildStart() {
    for (const file of statics.values()) if (file.startsWith(root)) this.addWatchFile(file)
  },
  generateBundle() {
    for (const [fileName, file] of statics) this.emitFile({ type: 'asset', fileName, source: readStatic(file, page) })
  },
  writeBundle(_, bundle) {
    const bytes = Object.keys(bundle).reduce((sum, file) => sum + statSync(join(out, file)).size, 0)
    if (bytes > MOST_BYTES) this.error(`The package has ${bytes} bytes, and WeChat takes ${MOST_BYTES}.`)
    console.log(`The mini-program has ${Math.ceil(bytes / 1024)} KB of the ${MOST_BYTES / 1024} KB that WeChat allows.`)
  },
}

await build({
  configFile: false,
  root,
  logLevel: 'warn',
  publicDir: false,
  define: {
    // WeChat gives each file a parameter of this name, which is empty.
    self: 'globalThis',
    SAOMA_ORIGIN: JSON.stringify(origin),
    SAOMA_PAGE: JSON.stringify(page),
    SAOMA_PERSON: JSON.stringify(person),
    SAOMA_APP: JSON.stringify(app),
    SAOMA_PHONE_NUMBER: JSON.stringify(phoneNumber),
    SAOMA_LOGIN_TEMPLATE: JSON.stringify(loginTemplate),
  },
  plugins: [packaging],
  build: {
    outDir: out,
    emptyOutDir: true,
    target: ENGINES,
    minify: !watch,
    // Library mode: builds of pages for a browser contain a loader that needs `document`.
    lib: { entry: scripts, formats: ['cjs'], fileName: (_, name) => `${name}.js` },
    watch: watch ? {} : null,
    rolldownOptions: {
      // WeChat has no import(): everything is in the files that it starts with.
      checks: { ineffectiveDynamicImport: false },
      output: {
        chunkFileNames: '[name].js',
        // Within one file the globals must come before the code that uses them. Only
        // pages use the library.
        codeSplitting: {
          groups: [
            { name: `${libraryPlace}/shared`, test: (id) => id.startsWith(library) && !entries.has(id) },
            { name: 'shared', test: (id) => !entries.has(id) },
          ],
        },
      },
    },
  },
})
