import type { Audit } from '@saoma/audit'
import type { Listener, LogEntry, Signal } from '@saoma/channels'
import type { KeyProof } from '@saoma/identity'
import { type EndNotice, type Failed, fail, ok, type Result } from '@saoma/protocol'
import type { Authenticate, Principal } from '../access/principal.ts'
import type { RevocationWatch } from '../access/revocation-watch.ts'
import type { Logger } from '../operate/log.ts'
import type { Metrics } from '../operate/metrics.ts'
import { isDeaf, type Limits } from '../transport/limits.ts'
import type { Endpoint } from './endpoint.ts'
import type { Live } from './live.ts'
import { Subscriptions } from './subscriptions.ts'

/** The dependencies that all connections of a node share. */
export interface LiveConnectionDeps {
  live: Live
  limits: Pick<Limits, 'liveEvents' | 'keyEvents' | 'subscribes'>
  revocations: RevocationWatch
  authenticate: Authenticate
  metrics: Metrics
  audit: { refusals: Pick<Audit['refusals'], 'count'> }
  log: Logger
  /** Most channels that one connection may follow. */
  maxChannels: number
  /** Public origin of the cluster. */
  origin: string
}

/** A token as a client of a live connection sends it. */
export interface Credentials {
  token: string
  /** The proof of the token's key (RFC 9449). */
  dpop?: string | undefined
}

/** What the proof of a socket has to say. A browser's handshake has no other address. */
export const proofAt = ({ dpop }: Credentials, { door }: Endpoint, origin: string): KeyProof | undefined =>
  dpop === undefined ? undefined : { jwt: dpop, method: 'GET', url: `${origin}${door}` }

/** An admitted principal, and what has to be released when it leaves. */
export interface Admission {
  who: Principal
  /** The revocation watch of the session or API key. */
  watch: { close(): void }
  /** Releases the slot of the connection. */
  leave: () => void
}

/** How long before its expiry a token is announced as expiring, at most. */
const WARNING_MS = 60_000
/**
 * Two expiry times that are closer count as equal: a renewal may return the same token, whose expiry was
 * already announced.
 */
const SAME_END_MS = 2_000
/** Stands for the lifetime of an API key, which is infinite. JSON has no infinity. */
const LONGEST_SECONDS = 86_400

const samePerson = (a: Principal, b: Principal): boolean =>
  a.kind === 'person' && b.kind === 'person'
    ? a.user === b.user && a.issuer === b.issuer
    : a.kind === 'backend' && b.kind === 'backend' && a.name === b.name

/**
 * When to announce the expiry of a token. If less than two minutes of
 * it are left, it is halfway through that time.
 */
const warnAtOf = ({ expiresAt }: Principal): number => {
  const now = Date.now()
  return Math.max(expiresAt - WARNING_MS, now + (expiresAt - now) / 2)
}
const haveSameEnd = (a: Principal, b: Principal): boolean => Math.abs(a.expiresAt - b.expiresAt) < SAME_END_MS

/**
 * One connection of a person or a backend to the channels, on any door. It holds the principal, its rate
 * limit, its subscriptions, and the end of its token or session.
 */
export class LiveConnection implements Listener {
  readonly endpoint: Endpoint
  readonly subscriptions: Subscriptions
  readonly #deps: LiveConnectionDeps
  readonly #leave: () => void
  #who: Principal
  #watch: { close(): void }
  /** When to announce the expiry of the token, in milliseconds since 1970; Infinity once it was announced. */
  #warnAt: number
  #state: 'admitted' | 'open' | 'closed' = 'admitted'
  /** The notice of an end that came before the client could receive anything. */
  #endedEarly: EndNotice | undefined
  #wasSlow = false

  constructor(endpoint: Endpoint, { who, watch, leave }: Admission, deps: LiveConnectionDeps) {
    this.endpoint = endpoint
    this.#deps = deps
    this.#who = who
    this.#watch = watch
    this.#leave = leave
    this.#warnAt = warnAtOf(who)
    this.subscriptions = new Subscriptions(this, deps)
  }

  /** Its name in the log. */
  get id(): string {
    return this.endpoint.id
  }

  get who(): Principal {
    return this.#who
  }

  get isOpen(): boolean {
    return this.#state !== 'closed' && this.endpoint.isOpen
  }

  /** From now on the client can receive events. */
  open(): void {
    if (this.#state !== 'admitted') return
    this.#state = 'open'
    if (this.#endedEarly) this.end(this.#endedEarly)
  }

  /** Releases everything. Idempotent. */
  close(): void {
    if (this.#state === 'closed') return
    this.#state = 'closed'
    this.#watch.close()
    this.#leave()
    this.subscriptions.close()
  }

  /** Ends the connection because its token or session ended. */
  end(notice: EndNotice): void {
    if (this.#state === 'admitted') this.#endedEarly = notice
    if (this.#state !== 'open') return
    const { code } = notice
    const { metrics, log } = this.#deps
    const who = this.#who
    metrics.ended.inc({ code })
    log.info({
      event: 'ended',
      code,
      socket: this.id,
      ...(who.kind === 'person' ? { user: who.user } : { key: who.name }),
    })
    this.endpoint.tell('ended', notice)
    this.endpoint.dismiss()
  }

  /** Checks the expiry of the token. */
  check(now: number): void {
    const { expiresAt } = this.#who
    if (now >= expiresAt) return this.end({ code: 'TOKEN_EXPIRED' })
    if (now < this.#warnAt) return
    this.#warnAt = Number.POSITIVE_INFINITY
    this.endpoint.tell('expiring', { expiresIn: Math.ceil((expiresAt - now) / 1000) })
  }

  /**
   * Spends the cost of one event. Resolves with a refusal to send as the answer, or with `gone` if the client
   * is gone and needs no answer.
   */
  async spend(): Promise<Failed | 'gone' | 'spent'> {
    const { liveEvents, keyEvents } = this.#deps.limits
    const slow = await (this.#who.kind === 'backend' ? keyEvents : liveEvents)(this.endpoint.connection)
    // A client that does not read its answers would fill the buffer with them.
    if (!this.isOpen || this.cutIfSlow()) return 'gone'
    if (!slow) return 'spent'
    if (!isDeaf(slow)) return fail('RATE_LIMITED', slow.retryAfterSeconds)
    this.endpoint.dismiss()
    return 'gone'
  }

  /** Replaces the token with a newer one of the same person or key. */
  async refresh(given: Credentials): Promise<Result<{ expiresIn: number }>> {
    const { revocations, authenticate, metrics, origin } = this.#deps
    const who = await authenticate(given.token, this.endpoint.address, proofAt(given, this.endpoint, origin))
    if (!who.ok) return who
    if (!samePerson(who.value, this.#who)) return fail('FORBIDDEN')
    const watch = await revocations.watch(who.value, (notice) => this.end(notice))
    if (!watch.ok) return watch
    if (!this.isOpen) {
      watch.value.close()
      return fail('UNAUTHORIZED')
    }
    this.#watch.close()
    this.#watch = watch.value
    if (!haveSameEnd(who.value, this.#who)) this.#warnAt = warnAtOf(who.value)
    this.#who = who.value
    metrics.refreshed.inc()
    return ok({
      expiresIn: Math.max(0, Math.min(LONGEST_SECONDS, Math.floor((who.value.expiresAt - Date.now()) / 1000))),
    })
  }

  /** Cuts off a slow reader. Returns whether it was slow. */
  cutIfSlow(): boolean {
    const isSlow = this.endpoint.isSlow()
    if (isSlow) this.#onSlow()
    return isSlow
  }

  messages(batch: readonly LogEntry[]): void {
    const { traffic } = this.#deps.metrics
    const written = this.endpoint.messages(batch)
    if (written === 'slow') return this.#onSlow()
    traffic.messagesOut += batch.length
    traffic.bytesOut += written
  }

  signal(signal: Signal): void {
    const { traffic } = this.#deps.metrics
    const written = this.endpoint.signal(signal)
    if (written === 'dropped') traffic.signalsDropped++
    else traffic.bytesOut += written
  }

  #onSlow(): void {
    if (this.#wasSlow) return
    this.#wasSlow = true
    const { metrics, log } = this.#deps
    log.warn({ event: 'slow', code: 'SLOW_READER', socket: this.id })
    metrics.slowReaders.inc()
    this.close()
  }
}
