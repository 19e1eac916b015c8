import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { onCleanup } from './cleanup.ts'

/** What somebody else's server answers. */
export interface HostedPage {
  body: string | Buffer
  /** @default HTML */
  headers?: Record<string, string>
}

/**
 * Serves these pages, by path, on an origin that is not Saoma's. Pages may be added later. Resolves with the
 * origin. The server ends with the test file.
 */
export const startHost = async (pages: ReadonlyMap<string, HostedPage>): Promise<string> => {
  const host = createServer((req, res) => {
    const page = pages.get(req.url?.split('?')[0] ?? '')
    res.writeHead(page ? 200 : 404, { 'content-type': 'text/html', ...page?.headers }).end(page?.body)
  }).listen(0, '127.0.0.1')
  onCleanup(() => host.close())
  await once(host, 'listening')
  return `http://127.0.0.1:${(host.address() as AddressInfo).port}`
}
