import { LOGIN_NAMESPACE } from '@saoma/protocol'
import { WebSocket } from 'ws'
import { obey } from './child.ts'
import { batches } from './numbers.ts'

/** How a client speaks: Socket.IO's frames by hand up to an acknowledged event, or not at all. */
export type Dialogue = 'watch' | 'join' | 'silent'

export interface Opening {
  url: string
  /** Origin of the clients' pages. */
  origin: string
  dialogue: Dialogue
  /** One for each client: the device code it watches, the room it joins. */
  names: readonly string[]
}

export type CrowdOrder =
  /** Answered when all clients are connected and served. */
  | ({ do: 'open' } & Opening)
  /** Say how many still are. */
  | { do: 'count' }

export type CrowdAnswer = { did: 'start' } | { did: 'open' } | { did: 'count'; open: number }

/** Handshakes at once. */
const AT_ONCE = 100
const SERVED_TIMEOUT_MS = 20_000

/** What a browser sends along; a server that keeps the request keeps these. */
const headers = (origin: string) => ({
  Origin: origin,
  'User-Agent': 'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36',
  'Accept-Language': 'en-GB,en;q=0.9,zh-CN;q=0.8',
  'Accept-Encoding': 'gzip, deflate, br, zstd',
  'Cache-Control': 'no-cache',
  Pragma: 'no-cache',
})

/** The frame that answers a frame of the server; Engine.IO's type is the first character, Socket.IO's the second. */
const replyTo = (frame: string, dialogue: Dialogue, name: string): string | undefined => {
  if (frame === '2') return '3'
  if (frame.startsWith('0')) return `40${LOGIN_NAMESPACE},`
  if (frame.startsWith(`40${LOGIN_NAMESPACE},`)) {
    const event = dialogue === 'watch' ? ['watch', { deviceCode: name }] : ['join', name]
    return `42${LOGIN_NAMESPACE},0${JSON.stringify(event)}`
  }
  return undefined
}

const ack = `43${LOGIN_NAMESPACE},0`

const connect = ({ url, origin, dialogue }: Opening, name: string): Promise<WebSocket> =>
  new Promise((resolve, reject) => {
    const target = new URL(dialogue === 'silent' ? '/' : '/socket.io/?EIO=4&transport=websocket', url)
    target.protocol = 'ws:'
    const socket = new WebSocket(target, { perMessageDeflate: false, headers: headers(origin) })
    const timer = setTimeout(() => fail(new Error('a client was not served in time')), SERVED_TIMEOUT_MS)
    const fail = (error: Error) => {
      clearTimeout(timer)
      socket.terminate()
      reject(error)
    }
    const served = () => {
      clearTimeout(timer)
      resolve(socket)
    }
    socket.on('error', fail)
    socket.on('close', () => fail(new Error('a client was closed')))
    if (dialogue === 'silent') return socket.on('open', served)
    socket.on('message', (data) => {
      const frame = String(data)
      const reply = replyTo(frame, dialogue, name)
      if (reply) return socket.send(reply)
      if (frame.startsWith(ack)) return frame.includes('"ok":false') ? fail(new Error(frame)) : served()
      fail(new Error(`a client was sent ${frame}`))
    })
  })

const sockets: WebSocket[] = []

obey<CrowdOrder, CrowdAnswer>({ did: 'start' }, async (order) => {
  if (order.do === 'count')
    return { did: 'count', open: sockets.filter(({ readyState }) => readyState === WebSocket.OPEN).length }
  for (const batch of batches(order.names, AT_ONCE))
    sockets.push(...(await Promise.all(batch.map((name) => connect(order, name)))))
  return { did: 'open' }
})
