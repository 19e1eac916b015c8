import { Agent, type IncomingHttpHeaders, request } from 'node:http'
import { text } from 'node:stream/consumers'

const TIMEOUT_MS = 20_000
/** Open connections to one server, as many as a proxy would keep. */
const MOST_CONNECTIONS = 32
const agent = new Agent({ keepAlive: true, maxSockets: MOST_CONNECTIONS })

export interface Answered {
  headers: IncomingHttpHeaders
  body: unknown
}

/**
 * One POST over a kept-alive connection, like a proxy's. Rejects unless the answer is 200 with JSON and
 * arrives in time.
 */
export const post = (url: string, headers: Record<string, string>, form?: Record<string, string>): Promise<Answered> =>
  new Promise((resolve, reject) => {
    const body = form ? `${new URLSearchParams(form)}` : ''
    const sent = request(url, {
      method: 'POST',
      agent,
      timeout: TIMEOUT_MS,
      headers: {
        ...headers,
        ...(form ? { 'Content-Type': 'application/x-www-form-urlencoded' } : {}),
        'Content-Length': Buffer.byteLength(body),
      },
    })
    sent.once('timeout', () => sent.destroy(new Error(`${url} did not answer in time`)))
    sent.once('error', reject)
    sent.once('response', async (response) => {
      try {
        const answer = await text(response)
        if (response.statusCode !== 200) throw new Error(`${url} answered ${response.statusCode}: ${answer}`)
        resolve({ headers: response.headers, body: JSON.parse(answer) })
      } catch (error) {
        reject(error)
      }
    })
    sent.end(body)
  })
