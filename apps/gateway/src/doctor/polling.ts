import { ask, isOfNode, type Reply, type Silence } from './ask.ts'
import type { Finding } from './finding.ts'

const code = 'polling'
/**
 * Sessions, one after another: at the same time they would go in step with a balancer that takes turns. If it
 * takes one of two nodes at random, both sessions pass once in four thousand runs.
 */
const SESSIONS = 2
/** Requests of one session after its handshake, each on a connection of its own. */
const TURNS = 3

const refused = (reply: Reply | Silence, step: string): Finding | undefined => {
  if (!reply.ok)
    return {
      code,
      level: 'error',
      says: `Socket.IO by polling does not work: ${step} was not answered (${reply.why}).`,
      todo: 'Let the proxy pass /socket.io/ on without a buffer, and look at its log.',
    }
  const { status, body, headers } = reply
  if (status === 200) return undefined
  if (status === 400 && body.includes('Session ID unknown'))
    return {
      code,
      level: 'error',
      says: 'A session of Socket.IO by polling does not stay on its node: another node was asked (400, Session ID unknown).',
      todo: 'Let everything go through nginx of Saoma, which routes by the session id, and name all nodes there. A balancer of your own must not bypass it.',
    }
  if (status === 429)
    return {
      code,
      level: 'skipped',
      says: 'Socket.IO by polling was not tried: this address has made too many requests (429).',
      todo: 'Wait a minute and run the doctor again.',
    }
  return {
    code,
    level: 'error',
    says: `Socket.IO by polling does not work: ${isOfNode(headers) ? 'a node' : 'the proxy'} answers ${step} with ${status}.`,
    todo: 'Let the proxy pass GET and POST at /socket.io/ on, with the query.',
  }
}

/** One session: handshake, a connect to `/login`, its answer, and a ping that a node answers. */
const speak = async (origin: string, signal: AbortSignal): Promise<Finding | undefined> => {
  const path = `${origin}/socket.io/?EIO=4&transport=polling`
  const headers = { Origin: origin }
  const opened = await ask(path, { signal, headers })
  const fault = refused(opened, 'the handshake')
  if (fault || !opened.ok) return fault
  const sid = /^0\{"sid":"([\w-]+)"/.exec(opened.body)?.[1]
  if (!sid)
    return {
      code,
      level: 'error',
      says: 'Socket.IO by polling does not work: the answer to the handshake is not that of Socket.IO.',
      todo: 'Let the proxy pass /socket.io/ on with the query, and cache nothing there.',
    }
  const session = `${path}&sid=${sid}`
  try {
    for (let turn = 0; turn < TURNS; turn++) {
      // A namespace that is not there is answered as well, and changes nothing.
      const name = turn === 0 ? '/login' : `/doctor-${turn}`
      const sent = await ask(session, { signal, headers, body: `40${name},` })
      const unsent = refused(sent, 'a message')
      if (unsent) return unsent
      const got = await ask(session, { signal, headers })
      const unread = refused(got, 'a poll')
      if (unread) return unread
      if (got.ok && !got.body.includes(`${name},`))
        return {
          code,
          level: 'error',
          says: 'Socket.IO by polling does not work: a poll was answered with something else than the node has sent.',
          todo: 'Let the proxy cache nothing below /socket.io/.',
        }
    }
  } finally {
    await ask(session, { signal, headers, body: '1' })
  }
  return undefined
}

/** Whether Socket.IO works without WebSockets, and a session stays on its node. */
export const probePolling = async (origin: string, signal: AbortSignal): Promise<Finding[]> => {
  for (let session = 0; session < SESSIONS; session++) {
    const fault = await speak(origin, signal)
    if (fault) return [fault]
  }
  return [{ code, level: 'ok', says: 'Socket.IO by polling works, and each session stays on its node.' }]
}
