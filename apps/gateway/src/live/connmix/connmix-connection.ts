import type { Duplex } from 'node:stream'
import type { LogEntry, Signal } from '@saoma/channels'
import { fail, ok, type Result } from '@saoma/protocol'
import type { RawData, WebSocket } from 'ws'
import type { Guest } from '../../transport/guests.ts'
import { cutIfEnded } from '../../transport/socket/engine.ts'
import type { Endpoint, Notice, NoticeBody } from '../endpoint.ts'
import type { LiveConnection } from '../live-connection.ts'
import { granted, invalid, notAuthenticated, refused } from './answers.ts'
import { burstOf, type Subscription } from './burst.ts'
import type { Keeper } from './keeper.ts'
import { noticeOf, noticeOfSignal } from './notices.ts'
import { type Call, type Request, readRequest } from './requests.ts'

/** A queued request. CONNMIX's answers have no ids, so they are sent in the order of the requests. */
interface Pending extends Request {
  /** Length of its text, in characters. */
  length: number
  answer?: string
}

/**
 * Back-pressure: with so many unanswered requests, the connection is not read until some are answered. A
 * client may pipeline requests without being cut off, and memory is bounded.
 */
const MOST_PENDING = 1_000
const MOST_PENDING_LENGTH = 256 * 1024
/** How long a client that is cut off has to receive its last frame. */
const LAST_FRAME_MS = 2_000

const NORMAL = 1000
const UNSUPPORTED_DATA = 1003
const POLICY_VIOLATION = 1008
const SERVICE_RESTART = 1012
const TRY_AGAIN_LATER = 1013
/** From the range that RFC 6455 leaves to applications: the token or session ended. */
const SESSION_ENDED = 4401

/** Requests that change the meaning of the next one. No other request may overtake them. */
const isBarrier = ({ op }: Call): boolean => op !== 'publish' && op !== 'presence' && op !== 'read'

/** A plain WebSocket whose client speaks CONNMIX. */
export class ConnmixConnection implements Endpoint, Guest {
  readonly id: string
  readonly address: string
  readonly tcp: Duplex
  /** When the client's last frame arrived, by the keeper's clock. */
  heardAt: number
  /** When the connection opened, by the same clock. */
  readonly begunAt: number

  readonly #ws: WebSocket
  readonly #keeper: Keeper
  readonly #subscriptions = new Map<string, Subscription>()
  #state: 'open' | 'closing' | 'closed' = 'open'
  #extended = false
  #live: LiveConnection | undefined
  /** Whether the session ended. It decides the code of the close frame. */
  #hasEnded = false
  /** Unanswered requests, oldest first. Those from index `#unasked` on have not been started. */
  #pending: Pending[] = []
  #unasked = 0
  #pendingLength = 0

  constructor(ws: WebSocket, tcp: Duplex, id: string, address: string, keeper: Keeper) {
    this.#ws = ws
    this.tcp = tcp
    this.#keeper = keeper
    this.begunAt = keeper.now()
    this.heardAt = this.begunAt
    this.id = id
    this.address = address
    ws.on('message', (data, isBinary) => this.#onMessage(data, isBinary))
    ws.on('ping', () => {
      this.heardAt = keeper.now()
    })
    ws.on('close', () => this.#onClose())
    // On broken frames and sockets ws itself closes the connection, with the right code.
    ws.on('error', () => {})
  }

  get connection(): string {
    return this.id
  }

  get door(): string {
    return '/ws'
  }

  get isOpen(): boolean {
    return this.#state === 'open'
  }

  /** Whether its client is authenticated. */
  get isAuthenticated(): boolean {
    return this.#live !== undefined
  }

  /** Writes consecutive messages of one channel that this connection subscribed to. */
  messages(batch: readonly LogEntry[]): number | 'slow' {
    if (this.isSlow()) return 'slow'
    const subscription = this.#subscriptions.get(batch[0]?.channel ?? '')
    // The client may have closed the connection, or sent something that made ws close it.
    if (!this.isOpen || this.#ws.readyState !== this.#ws.OPEN || !subscription) return 0
    // Write the shared frames past ws, which would frame them again for every connection.
    const bytes = burstOf(batch, subscription)
    this.tcp.write(bytes)
    return bytes.length
  }

  isSlow(): boolean {
    if (this.#ws.bufferedAmount <= this.#keeper.maxBufferBytes) return false
    this.#terminate(TRY_AGAIN_LATER, 'SLOW_READER')
    return true
  }

  signal(signal: Signal): number | 'dropped' {
    if (!this.isOpen || this.#ws.bufferedAmount > 0) return 'dropped'
    const notice = noticeOfSignal(signal, this.#listener)
    if (notice === undefined) return 0
    this.#ws.send(notice)
    return Buffer.byteLength(notice)
  }

  tell<N extends Notice>(notice: N, body: NoticeBody<N>): void {
    if (!this.isOpen) return
    if (notice === 'ended') this.#hasEnded = true
    const frame = noticeOf(notice, body, this.#listener)
    if (frame !== undefined) this.#ws.send(frame)
  }

  dismiss(): void {
    if (this.#hasEnded) this.#close(SESSION_ENDED, 'ended')
    else this.#close(POLICY_VIOLATION, 'disconnected')
  }

  sendAway(resumeAfterMs: number): void {
    this.tell('drain', { resumeAfterMs })
  }

  /**
   * Closes it for the node: in a drain, when its nginx leaves, or
   * when its client did not authenticate in time.
   */
  end(): void {
    if (this.#keeper.isDraining()) this.#close(SERVICE_RESTART, 'drain')
    else if (this.isAuthenticated) this.#close(NORMAL, '')
    else this.#close(POLICY_VIOLATION, 'Not Auth')
  }

  /** Closes it because the client was silent for too long. */
  endIdle(): void {
    this.#close(NORMAL, 'idle')
  }

  get #listener() {
    return { subscriptions: this.#subscriptions, extended: this.#extended }
  }

  /** Sends a close frame; ws ends the connection after 30 s if it is not answered. */
  #close(code: number, reason: string): void {
    if (!this.isOpen) return
    this.#state = 'closing'
    this.#letGo()
    // Otherwise the client's close frame would not be read.
    this.#ws.resume()
    this.#ws.close(code, reason)
    cutIfEnded(this.#ws)
  }

  /** Like `#close`, but terminates the connection if the client does not read. */
  #terminate(code: number, reason: string): void {
    if (!this.isOpen) return
    this.#close(code, reason)
    setTimeout(() => this.#ws.terminate(), LAST_FRAME_MS).unref()
  }

  #onMessage(data: RawData, isBinary: boolean): void {
    if (!this.isOpen) return
    this.heardAt = this.#keeper.now()
    if (isBinary) return this.#close(UNSUPPORTED_DATA, 'text only')
    if (this.isSlow()) return
    const text = data.toString()
    if (text === 'ping') {
      this.#ws.send('pong')
      return this.#stray()
    }
    const request: Pending = { ...readRequest(text), length: text.length }
    if (!request.call) {
      request.answer = invalid(request.form)
      this.#stray()
    }
    this.#pending.push(request)
    this.#pendingLength += request.length
    if (this.#isBehind) this.#ws.pause()
    this.#advance()
  }

  get #isBehind(): boolean {
    return this.#pending.length >= MOST_PENDING || this.#pendingLength >= MOST_PENDING_LENGTH
  }

  #stray(): void {
    this.#keeper.countStray(this.id, () => this.#close(POLICY_VIOLATION, 'RATE_LIMITED'))
  }

  /** Sends the answers that are next in order, and starts the requests that may start. */
  #advance(): void {
    while (this.isOpen) {
      const oldest = this.#pending[0]
      if (oldest?.answer !== undefined) {
        this.#pending.shift()
        this.#unasked = Math.max(0, this.#unasked - 1)
        this.#pendingLength -= oldest.length
        this.#ws.send(oldest.answer)
        if (this.#ws.isPaused && !this.#isBehind) this.#ws.resume()
        continue
      }
      const next = this.#pending[this.#unasked]
      if (!next || !this.#mayGo(next)) return
      this.#unasked++
      if (next.call && next.answer === undefined) void this.#ask(next, next.call)
    }
  }

  /**
   * No request starts until the barrier before it is answered. A
   * barrier starts only after all earlier answers.
   */
  #mayGo({ call }: Pending): boolean {
    const before = this.#unasked > 0 ? this.#pending[this.#unasked - 1] : undefined
    if (!before) return true
    if (call && isBarrier(call)) return false
    return !(before.call && before.answer === undefined && isBarrier(before.call))
  }

  async #ask(request: Pending, { op, body }: Call): Promise<void> {
    if (this.#live) {
      const answer = (result: Result<object>) => this.#settle(request, result)
      // On an authenticated connection `auth` can only refresh the token.
      return this.#keeper.ask(this.#live, op === 'auth' ? 'refresh' : op, body, answer)
    }
    this.#stray()
    if (op !== 'auth') {
      request.answer = notAuthenticated(request.form)
      return
    }
    const { connections } = this.#keeper
    const admitted = await connections.admit(this, body)
    if (!admitted.ok) return this.#settle(request, fail(admitted.code))
    if (!this.isOpen) return connections.close(admitted.value)
    this.#live = admitted.value
    this.#settle(request, ok({}))
    connections.open(admitted.value)
  }

  #settle(request: Pending, result: Result<object>): void {
    if (!request.call || request.answer !== undefined || !this.isOpen) return
    const { form, call } = request
    if (result.ok) this.#note(call, form.mesh ? undefined : form.id, result.value)
    request.answer = result.ok ? granted(form, call, result.value) : refused(form, result.code, result.retryAfter)
    this.#advance()
  }

  /** Updates the state that later requests depend on. */
  #note(call: Call, id: unknown, answer: object): void {
    if (call.extended || id !== undefined) this.#extended = true
    const { op, channel: alias = '', extended } = call
    // While more pages follow, the channel is not subscribed yet.
    if (op === 'subscribe' && 'channel' in answer && typeof answer.channel === 'string' && !('more' in answer))
      this.#subscriptions.set(answer.channel, { alias, extended })
    if (op === 'unsubscribe')
      for (const [channel, subscription] of this.#subscriptions)
        if (channel === alias || subscription.alias === alias) this.#subscriptions.delete(channel)
  }

  #onClose(): void {
    const reason = this.isOpen ? 'transport close' : 'forced close'
    this.#state = 'closed'
    this.#letGo()
    this.#keeper.closed(this, reason)
  }

  #letGo(): void {
    if (this.#live) this.#keeper.connections.close(this.#live)
    this.#pending = []
    this.#unasked = 0
    this.#pendingLength = 0
  }
}
