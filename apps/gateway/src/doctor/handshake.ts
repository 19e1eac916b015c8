import type { IncomingHttpHeaders, IncomingMessage } from 'node:http'
import { WebSocket } from 'ws'
import { ANSWER_MS, silence } from './ask.ts'

/** How the handshake of a WebSocket ended. */
export type Handshake =
  | { is: 'talking' }
  /** An HTTP answer in place of the upgrade. */
  | { is: 'answered'; status: number; headers: IncomingHttpHeaders; body: string }
  /** It was upgraded, and then closed or silent. */
  | { is: 'mute'; why: string }
  | { is: 'failed'; code: string; why: string }

/** Text that is sent, if any, and then the form of the frame that must come. */
export type Exchange = readonly { send?: string; expect: RegExp }[]

/** Most bytes of a refusal that are read. */
const MOST_BYTES = 4_096

const bodyOf = async (answer: IncomingMessage): Promise<string> => {
  let text = ''
  try {
    for await (const chunk of answer.setEncoding('utf8')) {
      text += chunk
      if (text.length > MOST_BYTES) break
    }
  } catch {
    // What came is enough.
  }
  return text
}

/**
 * Opens a WebSocket as a page of the origin does, and speaks with it. Compression is offered, as browsers do.
 * Never rejects.
 */
export const shakeHands = (origin: string, path: string, exchange: Exchange, given: AbortSignal): Promise<Handshake> =>
  new Promise((resolve) => {
    const signal = AbortSignal.any([given, AbortSignal.timeout(ANSWER_MS)])
    const socket = new WebSocket(`${origin.replace(/^http/, 'ws')}${path}`, { origin })
    let isUpgraded = false
    const done = (handshake: Handshake) => {
      signal.removeEventListener('abort', onLate)
      socket.terminate()
      resolve(handshake)
    }
    const onLate = () =>
      done(
        isUpgraded
          ? { is: 'mute', why: 'nothing came through it' }
          : { is: 'failed', code: 'TIMEOUT', why: 'no answer came in time' },
      )
    signal.addEventListener('abort', onLate, { once: true })

    let step = 0
    const say = () => {
      const { send } = exchange[step] ?? {}
      if (send !== undefined) socket.send(send)
    }
    socket.on('open', () => {
      isUpgraded = true
      say()
    })
    socket.on('message', (data) => {
      if (!exchange[step]?.expect.test(String(data))) return
      step++
      if (step === exchange.length) done({ is: 'talking' })
      else say()
    })
    socket.on('unexpected-response', async (_, answer: IncomingMessage) => {
      const { statusCode: status = 0, headers } = answer
      done({ is: 'answered', status, headers, body: await bodyOf(answer) })
    })
    socket.on('close', (code) => {
      if (isUpgraded) done({ is: 'mute', why: `it was closed at once (${code})` })
    })
    socket.on('error', (error) => {
      if (!isUpgraded) done({ is: 'failed', ...silence(error, signal.aborted) })
    })
    if (signal.aborted) onLate()
  })
