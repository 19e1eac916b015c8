/*
 * Prints the HTML that loads the hosted SDK of this build with its hash, for a page without a build. It
 * builds the pages first, if they are older than their sources. A running cluster tells the same at
 * /sdk/version.json.
 *
 *   npm run sdk -- --origin https://login.example.com
 */

import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { ensurePage, pageFolder } from '@saoma/testing'

/** The path of the SDK, as the build tells it. */
const pathOf = (told: unknown): string => {
  const { paths } = (told ?? {}) as { paths?: { sdk?: unknown } }
  if (typeof paths?.sdk === 'string') return paths.sdk
  throw new Error('sdk/version.json of the built pages does not name the SDK')
}

const readOrigin = (text: string): string => {
  const url = URL.parse(text)
  if (url && /^https?:$/.test(url.protocol)) return url.origin
  throw new Error(`--origin has to be an origin such as https://login.example.com, and not: ${text}`)
}

const tags = (url: string, integrity: string): string => `<!-- Before every other module script of the page: -->
<script type="importmap">
  { "integrity": { "${url}": "${integrity}" } }
</script>
<script type="module" src="${url}" integrity="${integrity}" crossorigin></script>
<!-- In your own module: import { createLive, createSession } from '${url}' -->`

const main = async (): Promise<void> => {
  const fallback = process.env.SAOMA_ORIGIN ?? 'https://login.example.com'
  const { values } = parseArgs({ options: { origin: { type: 'string', default: fallback } } })
  const origin = readOrigin(values.origin)
  await ensurePage((sentence) => console.error(sentence))
  const path = pathOf(JSON.parse(await readFile(join(pageFolder, 'sdk/version.json'), 'utf8')))
  const bytes = await readFile(join(pageFolder, path))
  console.log(tags(`${origin}${path}`, `sha384-${createHash('sha384').update(bytes).digest('base64')}`))
}

await main().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : String(error))
  process.exitCode = 1
})
