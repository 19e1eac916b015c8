import { reasonOf } from '@saoma/protocol'
import { createQuickSeal, type RedisClients } from '@saoma/redis'
import type { ClientRegistry } from './client.ts'
import type { Authorization } from './device-codes.ts'
import { createDueList, createWorker } from './due-list.ts'
import type { Provider } from './oidc-provider.ts'
import type { TicketStore } from './ticket-store.ts'

/** When a request that waits is looked at again, in case that the node which took the answer has died. */
const WAITING_MS = 5_000
/** When an application that did not take its ping is called again. */
const AGAIN_MS = 4_000
/** Longer than any request is kept. */
const KEEP_MS = 30 * 60_000

export interface PingsDeps {
  redis: Pick<RedisClients, 'data' | 'keys'>
  tickets: Pick<TicketStore, 'peek' | 'authorizationOf'>
  registry: ClientRegistry
  /** The provider that has the present keys. */
  provider: () => Provider
}

export interface PingsOptions {
  /** The first one encrypts, all decrypt. */
  secrets: readonly [string, ...string[]]
  /** Called for each call of an application. @default nobody is told */
  onCalled?: (client: string, result: 'told' | 'again' | 'failed', reason?: string) => void
  /** Called for a surprise. What was worked on is tried again. */
  onError?: (error: unknown) => void
}

/**
 * Tells applications that a person has answered on the phone (CIBA Core, section 10.2). What waits is on a
 * list in Redis. So an application is told although a node has died, and may be told twice. A request that is
 * redeemed or over is taken from the list: a ping is a hint, and its application may poll as well.
 */
export interface Pings {
  /** Encrypts the code of a request, for its record. Whoever reads Redis must not be able to redeem it. */
  seal(code: string): string
  /** Puts a request on the list. Rejects with RedisUnavailable. */
  await(ticket: string): Promise<void>
  /** The person has answered: tells the application at once. Never rejects. */
  answered(ticket: string): void
  close(): void
}

export const createPings = (
  { redis, tickets, registry, provider }: PingsDeps,
  { secrets, onCalled = () => {}, onError = () => {} }: PingsOptions,
): Pings => {
  const list = createDueList(redis, redis.keys.pingsDue(), KEEP_MS)
  const seal = createQuickSeal({ secrets, purpose: 'saoma pings' })

  /** Calls the application. Resolves with whether it need not be called again. */
  const call = async ({ payload, ping }: Authorization): Promise<boolean> => {
    const { clientId = '' } = payload
    const client = await provider().Client.find(clientId)
    const code = ping === undefined ? undefined : seal.open(ping)
    if (code === undefined || !client || !registry.find(clientId)?.notificationEndpoint) return true
    const { BackchannelAuthenticationRequest } = provider()
    const request = new BackchannelAuthenticationRequest({ ...payload, jti: code } as never)
    try {
      await client.backchannelPing(request)
      onCalled(clientId, 'told')
      return true
    } catch (error) {
      const { response } = error as { response?: Response }
      // The provider takes 200 and 204 alone.
      const isTaken = response?.ok === true
      const reason = response ? `status ${response.status}` : reasonOf(error)
      const isOver = reason === 'ADDRESS_REFUSED' || (response !== undefined && response.status < 500)
      onCalled(clientId, isTaken ? 'told' : isOver ? 'failed' : 'again', reason)
      return isOver
    }
  }

  const work = async (ticket: string): Promise<void> => {
    const [peeked, stored] = await Promise.all([tickets.peek(ticket), tickets.authorizationOf(ticket)])
    if (!peeked.ok || !stored.ok) return list.drop(ticket)
    const { status } = peeked.value.state
    if (status === 'pending' || status === 'scanned') return list.schedule(ticket, WAITING_MS)
    if (status !== 'confirmed' && status !== 'rejected') return list.drop(ticket)
    if (await call(JSON.parse(stored.value) as Authorization)) return list.drop(ticket)
    return list.schedule(ticket, AGAIN_MS)
  }

  const worker = createWorker(list, work, { onError })
  return {
    seal: seal.close,
    await: (ticket) => list.schedule(ticket, WAITING_MS),
    answered: worker.start,
    close: worker.close,
  }
}
