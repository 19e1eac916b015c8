/*
 * Builds the site of the documentation, and serves it on this machine:
 *
 *   npm run docs
 *   npm run docs -- --port 8089
 *   npm run docs -- build --base /saoma/    builds only, into apps/docs/dist
 */

import { once } from 'node:events'
import { parseArgs } from 'node:util'
import { buildSite, siteFolder } from './build.ts'
import { createSiteServer } from './serve.ts'

const HELP = `Usage: npm run docs -- [build] [options]

  build          build only
  --base PATH    path of the site on its host, such as /saoma/ (default: /)
  --out FOLDER   where to build it (default: apps/docs/dist)
  --port PORT    where to serve it (default: 8088)`

const say = (sentence: string): void => console.error(sentence)

const main = async (): Promise<void> => {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      base: { type: 'string', default: '/' },
      out: { type: 'string', default: siteFolder },
      port: { type: 'string', default: '8088' },
      help: { type: 'boolean', default: false },
    },
  })
  const { base, out, help } = values
  const port = Number(values.port)
  if (help) return say(HELP)
  if (positionals.some((word) => word !== 'build')) throw new Error(HELP)
  if (!/^\/(?:[\w.-]+\/)*$/.test(base)) throw new Error(`--base begins and ends with a slash, and not: ${base}`)
  if (!Number.isInteger(port) || port < 0 || port > 65_535) throw new Error(`--port is no port: ${values.port}`)

  await buildSite({ base, out, say })
  if (positionals.length > 0) return
  const server = createSiteServer(out, base).listen(port, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  const bound = typeof address === 'object' && address ? address.port : port
  console.log(`The documentation is at http://127.0.0.1:${bound}${base}`)
}

await main().catch((error: unknown) => {
  say(error instanceof Error ? error.message : String(error))
  process.exitCode = 1
})
