import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { onCleanup } from '@saoma/testing'
import { askOrigin } from '../src/operate/origin-answer.ts'

test.each([204, 205, 304])('an answer %d, which has no body, is another server and not silence', async (status) => {
  const server = createServer((_, res) => res.writeHead(status).end()).listen(0, '127.0.0.1')
  onCleanup(() => void server.close())
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const answer = await askOrigin(`http://127.0.0.1:${port}`, AbortSignal.timeout(5_000))
  expect(answer).toMatchObject({ kind: 'other', status })
})
