import type { LiveClientEvents, LiveServerEvents, Position, Published, TokenSet } from '@saoma/protocol'
import { io, type Socket } from 'socket.io-client'
import { onCleanup } from './cleanup.ts'
import type { ConnectOptions } from './connect.ts'
import { testApiKey } from './live-settings.ts'
import { confirm, createTicket, phoneToken, redeem, scan } from './login.ts'
import { createQueues, EVENT_TIMEOUT_MS } from './queues.ts'
import { type Answer, type RequestOptions, request } from './request.ts'

type Payloads = { [E in keyof LiveServerEvents]: Parameters<LiveServerEvents[E]>[0] } & {
  connect: undefined
  /** Why, in Socket.IO's words. */
  disconnect: string
  /** `data` is `{ code, message, react }` when the server refused the handshake. */
  connect_error: Error & { data?: unknown }
}

/** What the server answers to an event. */
export type LiveAnswer<E extends keyof LiveClientEvents> = Parameters<Parameters<LiveClientEvents[E]>[1]>[0]
type LiveRequest<E extends keyof LiveClientEvents> = Parameters<LiveClientEvents[E]>[0]
/** Rejects when there is no ack within `timeoutMs` (20 s). */
type Ask<E extends keyof LiveClientEvents> = (request: LiveRequest<E>, timeoutMs?: number) => Promise<LiveAnswer<E>>

/**
 * A client's socket in the namespace `/`. Its methods send the event of their name and resolve with the ack.
 */
export interface LiveClient {
  readonly socket: Socket<LiveServerEvents, LiveClientEvents>
  /** The next event of that name that this method has not given yet: see `LoginClient.next`. */
  next<E extends keyof Payloads>(event: E, timeoutMs?: number): Promise<Payloads[E]>
  /** Events of that name that came and that `next` has not given. */
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

/**
 * Starts to connect with that token, and reconnects by itself like a browser's client; `next('connect')`
 * tells when.
 */
export const connectLive = (origin: string, { token, ...options }: ConnectOptions & { token: string }): LiveClient => {
  const socket: LiveClient['socket'] = io(`${origin}/`, {
    transports: ['websocket'],
    forceNew: true,
    reconnectionDelay: 100,
    reconnectionDelayMax: 1_000,
    auth: { token },
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
      // Socket.IO's types lose the tie between an event and its ack in generic code.
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

/** What a backend does: publishes one message, or an array of them. `T` is the caller's expectation. */
export const publish = <T = Published>(
  origin: string,
  body: unknown,
  key = testApiKey,
  options: RequestOptions = {},
): Promise<Answer<T>> => request(`${origin}/v1/publish`, { bearer: key, json: body, ...options })

/**
 * A whole login by scanning, as the demo account `name`: what the browser has at its end, and whose it is.
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

/** Whose token this is, by its own word. */
const subjectOf = (token: string): string => {
  const claims: unknown = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString())
  if (typeof claims !== 'object' || claims === null || !('sub' in claims)) throw new Error('a token without a subject')
  return String(claims.sub)
}

/** A channel's position as the query of `GET /v1/messages` writes it. */
export const cursor = (channel: string, { epoch, offset }: Position): string => `${channel};${epoch};${offset}`
