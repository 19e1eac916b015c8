import {
  LIVE_ONLY,
  type LiveClientEvents,
  type LiveServerEvents,
  type Position,
  type Published,
  type TokenSet,
} from '@saoma/protocol'
import { io, type Socket } from 'socket.io-client'
import { onCleanup } from './cleanup.ts'
import type { ConnectOptions } from './connect.ts'
import { testApiKey } from './live-settings.ts'
import { confirm, createTicket, phoneToken, redeem, scan } from './login.ts'
import { createQueues, EVENT_TIMEOUT_MS } from './queues.ts'
import { type Answer, type RequestOptions, request } from './request.ts'

type Payloads = { [E in keyof LiveServerEvents]: Parameters<LiveServerEvents[E]>[0] } & {
  connect: undefined
  /** The reason, in Socket.IO's words. */
  disconnect: string
  /** `data` is `{ code, message, react }` when the server refused the handshake. */
  connect_error: Error & { data?: unknown }
}

/** The ack of an event. */
export type LiveAnswer<E extends keyof LiveClientEvents> = Parameters<Parameters<LiveClientEvents[E]>[1]>[0]
type LiveRequest<E extends keyof LiveClientEvents> = Parameters<LiveClientEvents[E]>[0]
/** Rejects when there is no ack within `timeoutMs` (20 s). */
type Ask<E extends keyof LiveClientEvents> = (request: LiveRequest<E>, timeoutMs?: number) => Promise<LiveAnswer<E>>

/**
 * A client's socket in the namespace `/`. Each method sends the event of its name and resolves with the ack.
 */
export interface LiveClient {
  readonly socket: Socket<LiveServerEvents, LiveClientEvents>
  /** The next event of that name that this method has not returned yet: see `LoginClient.next`. */
  next<E extends keyof Payloads>(event: E, timeoutMs?: number): Promise<Payloads[E]>
  /** Queued events of that name. */
  pending<E extends keyof Payloads>(event: E): readonly Payloads[E][]
  subscribe: Ask<'subscribe'>
  unsubscribe: Ask<'unsubscribe'>
  publish: Ask<'publish'>
  presence: Ask<'presence'>
  read: Ask<'read'>
  refresh: Ask<'refresh'>
  close(): void
}

const queued: readonly (keyof Payloads)[] = [
  'message',
  'volatile',
  'presence',
  'inbox',
  'expiring',
  'ended',
  'drain',
  'connect',
  'disconnect',
  'connect_error',
]

/** The two WebSocket doors to the channels, with their queries. Both must behave alike. */
export const liveDoors: readonly (readonly [name: string, query: Readonly<Record<string, string>>])[] = [
  ['through the door of those who only follow', LIVE_ONLY],
  ['through Socket.IO', {}],
]

/**
 * Connects with that token like the SDK, with the query for this namespace only, and reconnects like a
 * browser's client. `next('connect')` resolves when it is connected.
 */
export const connectLive = (
  origin: string,
  { token, query = LIVE_ONLY, ...options }: ConnectOptions & { token: string },
): LiveClient => {
  const socket: LiveClient['socket'] = io(`${origin}/`, {
    transports: ['websocket'],
    forceNew: true,
    reconnectionDelay: 100,
    reconnectionDelayMax: 1_000,
    auth: { token },
    query: { ...query },
    ...options,
  })
  const queues = createQueues<Payloads>(queued)
  for (const event of queued) socket.on(event as 'message', (payload: unknown) => queues.push(event, payload))

  const close = () => {
    forget()
    socket.close()
  }
  const forget = onCleanup(close)
  const ask =
    <E extends keyof LiveClientEvents>(event: E): Ask<E> =>
    (body, timeoutMs = EVENT_TIMEOUT_MS) =>
      // In generic code, Socket.IO's types lose the relation between an event and its ack.
      (socket.timeout(timeoutMs) as Socket).emitWithAck(event, body)

  return {
    socket,
    next: queues.next,
    pending: queues.pending,
    subscribe: ask('subscribe'),
    unsubscribe: ask('unsubscribe'),
    publish: ask('publish'),
    presence: ask('presence'),
    read: ask('read'),
    refresh: ask('refresh'),
    close,
  }
}

/** Publishes one message, or an array of them, like a backend. `T` is the caller's expectation. */
export const publish = <T = Published>(
  origin: string,
  body: unknown,
  key = testApiKey,
  options: RequestOptions = {},
): Promise<Answer<T>> => request(`${origin}/v1/publish`, { bearer: key, json: body, ...options })

/**
 * A whole login by scan as the demo account `name`. Resolves with the browser's tokens and the account's id.
 */
export const webToken = async (origin: string, name: string): Promise<TokenSet & { user: string }> => {
  const phone = await phoneToken(origin, name)
  const { device_code: deviceCode, ticket } = await createTicket(origin)
  await scan(origin, ticket, phone)
  await confirm(origin, ticket, phone)
  const { status, body } = await redeem(origin, deviceCode)
  if (status !== 200) throw new Error(`expected 200, got ${status}: ${JSON.stringify(body)}`)
  return { ...body, user: subjectOf(body.access_token) }
}

/** The `sub` of a token, without verification. */
const subjectOf = (token: string): string => {
  const claims: unknown = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString())
  if (typeof claims !== 'object' || claims === null || !('sub' in claims)) throw new Error('a token without a subject')
  return String(claims.sub)
}

/** A channel's position in the query format of `GET /v1/messages`. */
export const cursor = (channel: string, { epoch, offset }: Position): string => `${channel};${epoch};${offset}`
