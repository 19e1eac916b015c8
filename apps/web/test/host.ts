import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { onCleanup } from '@saoma/testing'

/** A page of a business, on an origin of its own. */
export interface HostedPage {
  body: string
  headers?: Record<string, string>
}

/** Serves these pages, by path, until the end of the file. Resolves with the origin. */
export const startHost = async (pages: ReadonlyMap<string, HostedPage>): Promise<string> => {
  const host = createServer((req, res) => {
    const page = pages.get(req.url?.split('?')[0] ?? '')
    res.writeHead(page ? 200 : 404, { 'content-type': 'text/html', ...page?.headers }).end(page?.body)
  }).listen(0, '127.0.0.1')
  onCleanup(() => host.close())
  await once(host, 'listening')
  return `http://127.0.0.1:${(host.address() as AddressInfo).port}`
}
