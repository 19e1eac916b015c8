import { ANSWER_MS, ask, isOfNode } from './ask.ts'
import type { Finding } from './finding.ts'
import type { Ticket } from './ticket.ts'

const code = 'long-poll'
/** As long as the event stream is watched meanwhile. Clients let a poll be held for 25 s. */
const HOLD_SECONDS = 15

/** Whether a held request is answered at its end, and not cut before. */
export const probeLongPoll = async ({ url, headers }: Ticket, signal: AbortSignal): Promise<Finding[]> => {
  const started = performance.now()
  const reply = await ask(`${url}?after=1&wait=${HOLD_SECONDS}`, {
    signal,
    headers,
    timeoutMs: HOLD_SECONDS * 1000 + ANSWER_MS,
  })
  if (signal.aborted) return []
  const seconds = (performance.now() - started) / 1000
  if (!reply.ok)
    return [
      {
        code,
        level: 'error',
        says:
          reply.code === 'TIMEOUT'
            ? `A held request is not answered: a node does it after ${HOLD_SECONDS} s, but nothing came within ${Math.round(seconds)} s.`
            : `Something cuts held requests after ${Math.round(seconds)} s: ${reply.why}.`,
        todo: 'Raise the read timeout of every proxy on the way to 75 s, and let none buffer below /v1/.',
      },
    ]
  const { status } = reply
  if (status !== 200)
    return [
      {
        code,
        level: 'error',
        says: `${isOfNode(reply.headers) ? 'A node' : 'A proxy'} answers a held request with ${status} after ${Math.round(seconds)} s.`,
        todo: 'Raise the read timeout of every proxy on the way to 75 s, and look at its log.',
      },
    ]
  const isSame = /"version":1\b/.test(reply.body)
  if (isSame && seconds < HOLD_SECONDS - 1)
    return [
      {
        code,
        level: 'warning',
        says: `A held request was answered after ${seconds.toFixed(1)} s instead of ${HOLD_SECONDS} s, though nothing had happened.`,
        todo: 'Let the proxy cache nothing below /v1/. A node that is going away does this too.',
      },
    ]
  return [{ code, level: 'ok', says: `A request that is held for ${HOLD_SECONDS} s is answered at its end.` }]
}
