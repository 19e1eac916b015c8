/*
 * Makes dist/, which WeChat's developer tools open as it is: each page's script as one CommonJS file, what
 * pages share as one more, and of the component library only what is used, likewise.
 *
 *   node build.ts [--watch] [--publish] [--out <folder>]      SAOMA_ORIGIN, SAOMA_PAGE, SAOMA_PERSON
 *
 * --publish refuses what may only be built for the developer tools.
 */

import { statSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { build, type Plugin } from 'vite'
import { readSettings } from './settings.ts'
import { findDependency, findSources, library, libraryPlace, readStatic } from './sources.ts'

const root = fileURLToPath(new URL('.', import.meta.url))
/** WeChat's limit for one package. */
const MOST_BYTES: number = 2 * 1024 * 1024
/** Understood by every engine that runs the base library of project.config.json. */
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
const { origin, page, person } = readSettings(process.env, publish)

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
    console.log(`The mini-program has ${Math.ceil(bytes / 1024)} KB of the ${MOST_BYTES / 1024} KB that WeChat takes.`)
  },
}

await build({
  configFile: false,
  root,
  logLevel: 'warn',
  publicDir: false,
  define: {
    // WeChat gives each file a parameter of this name with nothing in it.
    self: 'globalThis',
    SAOMA_ORIGIN: JSON.stringify(origin),
    SAOMA_PAGE: JSON.stringify(page),
    SAOMA_PERSON: JSON.stringify(person),
  },
  plugins: [packaging],
  build: {
    outDir: out,
    emptyOutDir: true,
    target: ENGINES,
    minify: !watch,
    // As a library: pages for a browser would be given a loader that asks the document.
    lib: { entry: scripts, formats: ['cjs'], fileName: (_, name) => `${name}.js` },
    watch: watch ? {} : null,
    rolldownOptions: {
      output: {
        chunkFileNames: '[name].js',
        // WeChat has no import(), and in one file the globals come before those who need them. The library is
        // for pages only.
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
