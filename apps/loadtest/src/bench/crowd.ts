import { WebSocket } from 'ws'
import { obey } from './child.ts'
import { openClient } from './client.ts'
import { dialogues } from './dialogues.ts'
import { batches } from './numbers.ts'

export interface Opening {
  url: string
  /** Origin of the clients' pages. */
  origin: string
  dialogue: keyof typeof dialogues
  /** One name for each client: the device code that it watches, its token, or its room. */
  names: readonly string[]
}

export type CrowdOrder =
  /** Answered when all clients are connected and served. */
  | ({ do: 'open' } & Opening)
  /** Asks how many clients are still connected. */
  | { do: 'count' }
  /** Answered when each client has received all messages up to this number. */
  | { do: 'receive'; number: number; timeoutMs: number }

export type CrowdAnswer = { did: 'start' } | { did: 'open' } | { did: 'count'; open: number } | { did: 'receive' }

/** Concurrent handshakes. */
const AT_ONCE = 100
const DIGIT_0 = 48
const DIGIT_9 = 57

/** The number that a message carries as `"n":…` in its data; -1 for any other frame. */
const numberIn = (frame: Buffer): number => {
  const mark = frame.indexOf('"n":')
  if (mark < 0) return -1
  let number = 0
  for (let at = mark + 4; ; at++) {
    const digit = frame[at] ?? 0
    if (digit < DIGIT_0 || digit > DIGIT_9) return number
    number = number * 10 + digit - DIGIT_0
  }
}

interface Client {
  socket: WebSocket
  /** Number of the client's newest message. */
  last: number
}

const clients: Client[] = []
/** The first thing that went wrong. */
let problem: string | undefined
/** Number of the message that all clients must receive, and how many clients lack it. */
let goal = Number.POSITIVE_INFINITY
let missing = 0
let wake = () => {}

const fail = (reason: string) => {
  problem ??= reason
  wake()
}

/** Messages are numbered from 1 without gaps, so a lost, repeated or reordered message shows at once. */
const take = (client: { last: number }, frame: Buffer): void => {
  const number = numberIn(frame)
  if (number !== client.last + 1) return fail(`after message ${client.last} a client was sent ${frame}`)
  client.last = number
  if (number === goal && --missing === 0) wake()
}

const connect = async ({ url, origin, dialogue }: Opening, name: string): Promise<void> => {
  const counter = { last: 0 }
  const socket = await openClient({
    url,
    origin,
    dialogue: dialogues[dialogue](name),
    onFrame: (frame) => take(counter, frame),
    onLost: (reason) => fail(`a client was ${reason}`),
  })
  clients.push(Object.assign(counter, { socket }))
}

const receive = async (number: number, timeoutMs: number): Promise<void> => {
  goal = number
  missing = clients.filter(({ last }) => last < number).length
  if (missing > 0 && !problem) {
    const { promise, resolve } = Promise.withResolvers<void>()
    wake = resolve
    const timer = setTimeout(resolve, timeoutMs)
    await promise
    clearTimeout(timer)
  }
  if (problem) throw new Error(problem)
  if (missing > 0) throw new Error(`${missing} of ${clients.length} clients have not got message ${number}`)
}

obey<CrowdOrder, CrowdAnswer>({ did: 'start' }, async (order) => {
  switch (order.do) {
    case 'open':
      for (const batch of batches(order.names, AT_ONCE)) await Promise.all(batch.map((name) => connect(order, name)))
      return { did: 'open' }
    case 'count':
      return { did: 'count', open: clients.filter(({ socket }) => socket.readyState === WebSocket.OPEN).length }
    case 'receive':
      await receive(order.number, order.timeoutMs)
      return { did: 'receive' }
  }
})
