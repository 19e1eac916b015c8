import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { onCleanup } from '@saoma/testing'
import { type Config, readConfig } from '../src/config/config.ts'
import { checkOrigin } from '../src/doctor/origin.ts'

/** A Saoma whose nodes serve no pages. */
const startBare = async (): Promise<string> => {
  let origin = ''
  const server = createServer((req, res) => {
    res.setHeader('X-Saoma-Node', 'a')
    if (req.url?.startsWith('/oidc/')) res.end(JSON.stringify({ issuer: `${origin}/oidc` }))
    else res.writeHead(404).end()
  }).listen(0, '127.0.0.1')
  onCleanup(() => void server.close())
  await once(server, 'listening')
  origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return origin
}

// The command `saoma` has pages beside it. The nodes may be of an image or a clone.
test('pages are missed if SAOMA_WEB_ROOT was given, not because this command has some', async () => {
  const origin = await startBare()
  const config: Config = {
    ...readConfig({ SAOMA_ORIGIN: origin, SAOMA_DEMO: 'true', SAOMA_SECRET: 'a secret of tests, which nobody keeps' }),
    webRoot: '/pages/of/this/command',
  }
  const look = async (webRoot?: string) => {
    const subject = { origin, config, signal: new AbortController().signal, ...(webRoot ? { webRoot } : {}) }
    return (await checkOrigin().run(subject)).find(({ code }) => code === 'origin-pages')
  }
  expect(await look()).toMatchObject({ level: 'ok', says: 'The nodes serve no pages: SAOMA_WEB_ROOT is not set.' })
  expect(await look('/srv/pages')).toMatchObject({ level: 'error', says: expect.stringContaining('status 404') })
})
