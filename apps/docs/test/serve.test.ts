import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { request } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onCleanup } from '@saoma/testing'
import { createSiteServer } from '../src/serve.ts'

/** A server that has failed does not answer. */
const ANSWER_MS = 5_000

const serve = async (base: string): Promise<number> => {
  const folder = await mkdtemp(join(tmpdir(), 'saoma-served-'))
  onCleanup(() => rm(folder, { recursive: true }))
  for (const name of ['index', 'login', '404']) await writeFile(join(folder, `${name}.html`), name)
  const server = createSiteServer(folder, base).listen(0, '127.0.0.1')
  onCleanup(() => server.close())
  await once(server, 'listening')
  return (server.address() as AddressInfo).port
}

/** The path goes out as it is: `fetch` would make an address of it first. */
const get = async (port: number, path: string): Promise<string> => {
  const signal = AbortSignal.timeout(ANSWER_MS)
  const asked = request({ host: '127.0.0.1', port, path, agent: false, signal }).end()
  const [answer] = await once(asked, 'response')
  let text = ''
  for await (const chunk of answer) text += chunk
  return `${answer.statusCode} ${text}`
}

test.each(['/', '/manual/'])('a site at %s answers every request, and goes on', async (base) => {
  const port = await serve(base)
  for (const path of ['//', '//login', `${base}/`, `${base}%2f`, '*', 'http://', `${base}%00`, `${base}../../login/`])
    expect([path, await get(port, path)]).toEqual([path, '404 404'])
  expect(await get(port, base)).toBe('200 index')
  expect(await get(port, `${base}login?x=//`)).toBe('200 login')
})
