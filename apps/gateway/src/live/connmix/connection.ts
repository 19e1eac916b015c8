import { EventEmitter } from 'node:events'
import type { Duplex } from 'node:stream'
import type { LogEntry } from '@saoma/channels'
import type { RawData, WebSocket } from 'ws'
import type { PlainConnection } from '../socketio/socket-writer.ts'
import { granted, invalid, notAuthenticated, refused } from './answers.ts'
import { burstOf, type Subscription } from './burst.ts'
import { noticeOf } from './notices.ts'
import { connectPacket, eventPacket, type Packet } from './packets.ts'
import { type Call, type Request, readRequest } from './requests.ts'

/** What the door does for all of its connections. */
export interface Keeper {
  /** Bytes that may wait for a client that goes on asking. */
  readonly maxBufferBytes: number
  isDraining(): boolean
  /** The clock by which a client is silent, in milliseconds from any beginning. */
  now(): number
  /**
   * Counts a frame that never becomes an event of Socket.IO; `flood` is called when there were far too many.
   */
  countStray(connection: string, flood: () => void): void
  /** Reads a packet of Socket.IO; the same packet often goes to many. */
  read(packet: string): Packet | undefined
}

/**
 * A request in its place of the queue: answers have no ids in CONNMIX, so they go out in the order of the
 * requests.
 */
interface Pending extends Request {
  /** Id of the Socket.IO event, once it is on its way. */
  ack?: number
  answer?: string
}

/**
 * From here on nothing more is read until there are answers: a client may ask ahead without being punished,
 * and memory is bounded.
 */
const MOST_PENDING = 1_000
const MOST_PENDING_BYTES = 256 * 1024
/** Bytes a client may be behind and still be given what may be lost. */
const WRITABLE_BELOW = 64 * 1024
/** How long a client may take to take its last frame when it is cut off. */
const LAST_FRAME_MS = 2_000

const NORMAL = 1000
const UNSUPPORTED_DATA = 1003
const POLICY_VIOLATION = 1008
const SERVICE_RESTART = 1012
const TRY_AGAIN_LATER = 1013
/** Of the range that RFC 6455 leaves to applications: the token or session ended. */
const SESSION_ENDED = 4401

/** These change what the next request means, so nothing overtakes them. */
const isBarrier = ({ op }: Call): boolean => op !== 'publish' && op !== 'presence' && op !== 'read'

/**
 * Emits like a connection of Engine.IO and is used like one, so that Socket.IO needs not know the difference.
 */
export class WsConnection extends EventEmitter implements PlainConnection {
  readonly id: string
  /** Engine.IO's revision that Socket.IO goes by. */
  readonly protocol = 4
  readonly remoteAddress: string
  /** The handshake's headers are read by nobody. */
  request = null
  readyState: 'open' | 'closing' | 'closed' = 'open'
  readonly transport: { readonly name: 'plain'; readonly writable: boolean }
  /** Nothing waits here: what is written is in the socket's own buffer. */
  readonly writeBuffer: readonly never[] = []
  /** When the client's last frame came, by the keeper's clock. */
  heardAt: number

  readonly #ws: WebSocket
  readonly #tcp: Duplex
  readonly #keeper: Keeper
  readonly #subscriptions = new Map<string, Subscription>()
  #extended = false
  #authenticated = false
  /** Why Socket.IO let go, for the close frame. */
  #farewell: readonly [code: number, reason: string] | undefined
  /**
   * Requests that are not answered, oldest first; those from `#unsent` on have not been handed to Socket.IO.
   */
  #pending: Pending[] = []
  #unsent = 0
  #pendingBytes = 0
  #lastAck = 0

  constructor(ws: WebSocket, tcp: Duplex, id: string, remoteAddress: string, keeper: Keeper) {
    super()
    this.#ws = ws
    this.#tcp = tcp
    this.#keeper = keeper
    this.heardAt = keeper.now()
    this.id = id
    this.remoteAddress = remoteAddress
    this.transport = {
      name: 'plain',
      get writable() {
        return ws.bufferedAmount < WRITABLE_BELOW
      },
    }
    ws.on('message', (data, isBinary) => this.#onMessage(data, isBinary))
    ws.on('ping', () => {
      this.heardAt = keeper.now()
    })
    ws.on('close', () => this.#onClose())
    // Broken frames and sockets: ws closes the connection itself, with the right code.
    ws.on('error', () => {})
  }

  get tcp(): Duplex {
    return this.#tcp
  }

  get bufferedAmount(): number {
    return this.#ws.bufferedAmount
  }

  /** What Socket.IO says to its client. */
  write(packet: unknown): this {
    if (this.readyState !== 'open' || typeof packet !== 'string') return this
    const said = this.#keeper.read(packet)
    switch (said?.kind) {
      case 'connected':
        this.#authenticated = true
        // Socket.IO says so a moment before it would take the next packet.
        queueMicrotask(() => this.#settle(this.#pending[0], { ok: true, value: {} }))
        break
      case 'refused':
        this.#settle(this.#pending[0], { ok: false, code: said.code })
        break
      case 'ack':
        this.#settle(
          this.#pending.find(({ ack }) => ack === said.id),
          said.answer,
        )
        break
      case 'event': {
        if (said.name === 'ended') this.#farewell = [SESSION_ENDED, 'ended']
        const notice = noticeOf(said.name, said.body, { subscriptions: this.#subscriptions, extended: this.#extended })
        if (notice !== undefined) this.#ws.send(notice)
        break
      }
      case 'disconnected':
        this.#farewell ??= [POLICY_VIOLATION, 'disconnected']
        break
    }
    return this
  }

  /** Writes consecutive messages of one channel that this connection subscribed to; returns the bytes. */
  deliver(batch: readonly LogEntry[]): number {
    const subscription = this.#subscriptions.get(batch[0]?.channel ?? '')
    if (this.#ws.readyState !== this.#ws.OPEN || !subscription) return 0
    // Whole frames, made once for all: past ws, which would frame them anew for every connection.
    const bytes = burstOf(batch, subscription)
    this.#tcp.write(bytes)
    return bytes.length
  }

  close(discard?: boolean): void {
    if (discard) this.#ws.terminate()
    else if (this.#farewell) this.end(...this.#farewell)
    else if (this.#keeper.isDraining()) this.end(SERVICE_RESTART, 'drain')
    else if (this.#authenticated) this.end(NORMAL, '')
    // Socket.IO ends a connection that was let into no namespace in time.
    else this.end(POLICY_VIOLATION, 'Not Auth')
  }

  /** Sends a close frame; ws ends the connection after 30 s if it is not answered. */
  end(code: number, reason: string): void {
    if (this.readyState !== 'open') return
    this.readyState = 'closing'
    this.#forget()
    // Or the client's close frame would not be read.
    this.#ws.resume()
    this.#ws.close(code, reason)
  }

  terminate(code: number, reason: string): void {
    this.end(code, reason)
    setTimeout(() => this.#ws.terminate(), LAST_FRAME_MS).unref()
  }

  #onMessage(data: RawData, isBinary: boolean): void {
    if (this.readyState !== 'open') return
    this.heardAt = this.#keeper.now()
    if (isBinary) return this.end(UNSUPPORTED_DATA, 'text only')
    if (this.bufferedAmount > this.#keeper.maxBufferBytes) return this.terminate(TRY_AGAIN_LATER, 'SLOW_READER')
    const text = data.toString()
    if (text === 'ping') {
      this.#ws.send('pong')
      return this.#stray()
    }
    const request: Pending = readRequest(text)
    if (!request.call) {
      request.answer = invalid(request.form)
      this.#stray()
    }
    this.#pending.push(request)
    this.#pendingBytes += request.call?.body.length ?? 0
    if (this.#isBehind) this.#ws.pause()
    this.#advance()
  }

  get #isBehind(): boolean {
    return this.#pending.length >= MOST_PENDING || this.#pendingBytes >= MOST_PENDING_BYTES
  }

  #stray(): void {
    this.#keeper.countStray(this.id, () => this.end(POLICY_VIOLATION, 'RATE_LIMITED'))
  }

  /** Sends what is answered, as far as it is the oldest, and hands on what may go. */
  #advance(): void {
    for (;;) {
      const oldest = this.#pending[0]
      if (oldest?.answer !== undefined) {
        this.#pending.shift()
        this.#unsent = Math.max(0, this.#unsent - 1)
        this.#pendingBytes -= oldest.call?.body.length ?? 0
        this.#ws.send(oldest.answer)
        if (this.#ws.isPaused && !this.#isBehind) this.#ws.resume()
        continue
      }
      const next = this.#pending[this.#unsent]
      if (!next || !this.#mayGo(next)) return
      this.#unsent++
      if (next.call && next.answer === undefined) this.#ask(next, next.call)
      // Socket.IO may have closed the connection over it.
      if (this.readyState !== 'open') return
    }
  }

  /** Nothing goes before a barrier is answered, and a barrier goes when all before it is. */
  #mayGo({ call }: Pending): boolean {
    const before = this.#unsent > 0 ? this.#pending[this.#unsent - 1] : undefined
    if (!before) return true
    if (call && isBarrier(call)) return false
    return !(before.call && before.answer === undefined && isBarrier(before.call))
  }

  #ask(request: Pending, { op, body }: Call): void {
    if (op === 'auth' && !this.#authenticated) {
      this.#stray()
      this.emit('data', connectPacket(body))
    } else if (!this.#authenticated) {
      this.#stray()
      request.answer = notAuthenticated(request.form)
    } else {
      request.ack = ++this.#lastAck
      // Who is let in already can only bring a newer token.
      this.emit('data', eventPacket(op === 'auth' ? 'refresh' : op, request.ack, body))
    }
  }

  #settle(request: Pending | undefined, answer: Extract<Packet, { kind: 'ack' }>['answer']): void {
    if (!request?.call || request.answer !== undefined) return
    const { form, call } = request
    if (answer.ok) this.#note(call, form.mesh ? undefined : form.id, answer.value)
    request.answer = answer.ok ? granted(form, call, answer.value) : refused(form, answer.code, answer.retryAfter)
    this.#advance()
  }

  /** What a request that was done changes for those after it. */
  #note(call: Call, id: unknown, answer: object): void {
    if (call.extended || id !== undefined) this.#extended = true
    const { op, channel: alias = '', extended } = call
    // With more pages to come nothing is followed yet.
    if (op === 'subscribe' && 'channel' in answer && typeof answer.channel === 'string' && !('more' in answer))
      this.#subscriptions.set(answer.channel, { alias, extended })
    if (op === 'unsubscribe')
      for (const [channel, subscription] of this.#subscriptions)
        if (channel === alias || subscription.alias === alias) this.#subscriptions.delete(channel)
  }

  #onClose(): void {
    const reason = this.readyState === 'open' ? 'transport close' : 'forced close'
    this.readyState = 'closed'
    this.#forget()
    this.emit('close', reason)
  }

  #forget(): void {
    this.#pending = []
    this.#unsent = 0
    this.#pendingBytes = 0
  }
}
