import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { onCleanup } from '@saoma/testing'

/** A span as a collector gets it, with its attributes and those of its resource as plain values. */
export interface Span {
  traceId: string
  spanId: string
  parentSpanId: string | undefined
  name: string
  attributes: Record<string, unknown>
  /** The node. */
  node: unknown
  failed: boolean
}

interface Attribute {
  key: string
  value: Record<string, unknown>
}

interface Batch {
  resourceSpans: {
    resource: { attributes: Attribute[] }
    scopeSpans: {
      spans: {
        traceId: string
        spanId: string
        parentSpanId?: string
        name: string
        attributes: Attribute[]
        status: { code?: number }
      }[]
    }[]
  }[]
}

const ERROR = 2

const plain = (attributes: Attribute[]): Record<string, unknown> =>
  Object.fromEntries(attributes.map(({ key, value }) => [key, Object.values(value)[0]]))

/** A receiver of OTLP over HTTP. */
export const startCollector = async () => {
  const bodies: string[] = []
  const server = createServer(async (req, res) => {
    const body = await text(req)
    const isRight =
      req.method === 'POST' && req.url === '/v1/traces' && req.headers['content-type'] === 'application/json'
    if (isRight) bodies.push(body)
    res.writeHead(isRight ? 200 : 400, { 'content-type': 'application/json' }).end('{}')
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onCleanup(() => server.close())
  return {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    /** All that came, as it came. */
    bodies,
    spans: (): Span[] =>
      bodies.flatMap((body) =>
        (JSON.parse(body) as Batch).resourceSpans.flatMap(({ resource, scopeSpans }) =>
          scopeSpans
            .flatMap(({ spans }) => spans)
            .map(({ traceId, spanId, parentSpanId, name, attributes, status }) => ({
              traceId,
              spanId,
              parentSpanId: parentSpanId || undefined,
              name,
              attributes: plain(attributes),
              node: plain(resource.attributes)['service.instance.id'],
              failed: status.code === ERROR,
            })),
        ),
      ),
  }
}
