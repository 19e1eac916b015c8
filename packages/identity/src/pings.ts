import { reasonOf } from '@saoma/protocol'
import { createQuickSeal, every, orUnavailable, type RedisClients, RedisUnavailable } from '@saoma/redis'
import type { ClientRegistry } from './client.ts'
import type { Authorization } from './device-codes.ts'
import type { Provider } from './oidc-provider.ts'
import { claim, schedule } from './scripts.ts'
import type { TicketStore } from './ticket-store.ts'

/** Milliseconds between two looks at what is due. */
const LOOK_MS = 2_000
/** When a request that waits is looked at again, in case that the node which took the answer has died. */
const WAITING_MS = 5_000
/** When an application that did not take its ping is called again. */
const AGAIN_MS = 4_000
/** Longer than a call takes, which has 2.5 s. */
const LEASE_MS = 6_000
/** Longer than any request is kept. */
const KEEP_MS = 30 * 60_000
/** Requests that this node works on at once. */
const MOST_AT_ONCE = 50

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
 * list in Redis, and each node looks at what is due. So an application is told although a node has died, and
 * may be told twice. A request that is redeemed or over is taken from the list: a ping is a hint, and its
 * application may poll as well.
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
  const { data, keys } = redis
  const due = keys.pingsDue()
  const seal = createQuickSeal({ secrets, purpose: 'saoma pings' })
  let isClosed = false
  let isLooking = false
  let atWork = 0

  const put = (ticket: string, afterMs: number) => schedule(data, [due], [ticket, afterMs, KEEP_MS])
  const drop = async (ticket: string): Promise<void> => {
    await orUnavailable(data.zrem(due, ticket))
  }

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
    if (!peeked.ok || !stored.ok) return drop(ticket)
    const { status } = peeked.value.state
    if (status === 'pending' || status === 'scanned') return void (await put(ticket, WAITING_MS))
    if (status !== 'confirmed' && status !== 'rejected') return drop(ticket)
    if (await call(JSON.parse(stored.value) as Authorization)) return drop(ticket)
    await put(ticket, AGAIN_MS)
  }

  /** What fails is due again when its lease ends. */
  const quietly = (error: unknown): void => {
    if (!(error instanceof RedisUnavailable)) onError(error)
  }

  const look = async (): Promise<void> => {
    if (isLooking || isClosed) return
    isLooking = true
    try {
      const room = MOST_AT_ONCE - atWork
      const claimed = room > 0 ? await claim(data, [due], [LEASE_MS, room]) : []
      atWork += claimed.length
      for (const ticket of claimed)
        void work(ticket)
          .catch(quietly)
          .finally(() => {
            atWork--
          })
    } catch (error) {
      quietly(error)
    } finally {
      isLooking = false
    }
  }

  const stop = every(LOOK_MS, () => void look())
  return {
    seal: seal.close,
    await: async (ticket) => {
      await put(ticket, WAITING_MS)
    },
    answered: (ticket) => {
      // Only what is on the list. The lease keeps other nodes from it meanwhile.
      void orUnavailable(data.zscore(due, ticket))
        .then(async (score) => {
          if (score === null || isClosed) return
          await put(ticket, LEASE_MS)
          await work(ticket)
        })
        .catch(quietly)
    },
    close: () => {
      isClosed = true
      stop()
    },
  }
}
