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
 * One POST, or a GET without a body, over a kept-alive connection. Redirects are answers. Rejects if the
 * answer says that something is wrong, or does not arrive in time.
 */
const send = (
  url: string,
  headers: Record<string, string>,
  body?: string,
): Promise<{ headers: IncomingHttpHeaders; answer: string }> =>
  new Promise((resolve, reject) => {
    const sent = request(url, {
      method: body === undefined ? 'GET' : 'POST',
      agent,
      timeout: TIMEOUT_MS,
      headers: body === undefined ? headers : { ...headers, 'Content-Length': Buffer.byteLength(body) },
    })
    sent.once('timeout', () => sent.destroy(new Error(`${url} did not answer in time`)))
    sent.once('error', reject)
    sent.once('response', async (response) => {
      try {
        const answer = await text(response)
        const { statusCode = 0 } = response
        if (statusCode < 200 || statusCode > 399) throw new Error(`${url} answered ${statusCode}: ${answer}`)
        resolve({ headers: response.headers, answer })
      } catch (error) {
        reject(error)
      }
    })
    sent.end(body)
  })

/**
 * One POST over a kept-alive connection, like a proxy's. Rejects unless the answer is 2xx with JSON and
 * arrives in time.
 */
export const post = async (
  url: string,
  headers: Record<string, string>,
  form?: Record<string, string>,
): Promise<Answered> => {
  const type: Record<string, string> = form ? { 'Content-Type': 'application/x-www-form-urlencoded' } : {}
  const sent = await send(url, { ...headers, ...type }, form ? `${new URLSearchParams(form)}` : '')
  return { headers: sent.headers, body: JSON.parse(sent.answer) }
}

/** The same with JSON in the body. Resolves with the text of the answer. */
export const postJson = async (url: string, headers: Record<string, string>, json: unknown): Promise<string> => {
  const { answer } = await send(url, { ...headers, 'Content-Type': 'application/json' }, JSON.stringify(json))
  return answer
}

/** A GET that a browser makes when it goes to an address. Resolves with the headers, also of a redirect. */
export const visit = async (url: string, headers: Record<string, string>): Promise<IncomingHttpHeaders> =>
  (await send(url, headers)).headers
