import { fail, ok, type Result } from '@saoma/protocol'
import { type Budget, createBudget, createPlaces, type RedisClients } from '@saoma/redis'
import type { Principal } from '../access/principal.ts'
import type { Config } from '../config/config.ts'
import type { Metrics } from '../operate/metrics.ts'

/**
 * What a person may use of the whole cluster's channels. Sockets, tokens, addresses and nodes are as many as
 * one likes, so none of them is counted here: one person is one person on all of them. An API key is the
 * operator's own and has a budget only where one is set.
 */
export interface Allowance {
  /** Spends what a message costs. `bytes` are those of its event and data. */
  publish(who: Principal, bytes: number, volatile: boolean): Promise<Result<true>>
  /** Spends the beginning of a channel that never was. */
  begin(who: Principal): Promise<Result<true>>
  /** Takes the place of one subscription; to be given back by calling the value. */
  follow(who: Principal): Promise<Result<() => void>>
  close(): void
}

export interface AllowanceDeps {
  /** The Redis of the channels: who floods it does not touch the logins'. */
  redis: Pick<RedisClients, 'data' | 'keys'>
  metrics: Pick<Metrics, 'limited'>
}

const MINUTE_MS = 60_000
const DAY_MS = 86_400_000
/** What a kept message takes in Redis besides its text, measured (docs/operate.md). */
const MESSAGE_BYTES = 140
/** Subscriptions of one person on one node that no other node is asked about: those of a usual page. */
const FREE_FOLLOWS = 100

const nothing = () => {}

export const createAllowance = (
  { redis, metrics }: AllowanceDeps,
  { nodeId, limits }: { nodeId: string; limits: Config['limits'] },
): Allowance => {
  const budget = (name: string, limit: number, windowMs: number) => createBudget(redis, { name, limit, windowMs })
  const messages = budget('messages', limits.personMessages, MINUTE_MS)
  const bytes = budget('bytes', limits.personBytes, MINUTE_MS)
  const kept = budget('kept', limits.personBytesADay, DAY_MS)
  const channels = budget('channels', limits.personChannels, DAY_MS)
  const keyBytes = limits.keyBytes > 0 ? budget('key-bytes', limits.keyBytes, MINUTE_MS) : undefined
  const places = createPlaces(redis, { name: 'follows', nodeId, limit: limits.personFollows, free: FREE_FOLLOWS })

  const nameOf = (who: Principal): string => (who.kind === 'person' ? `${who.issuer} ${who.user}` : `key ${who.name}`)

  const spend = async (what: string, from: Budget, who: Principal, cost: number): Promise<Result<true>> => {
    const waitMs = await from.spend(nameOf(who), cost)
    if (waitMs === undefined) return ok(true)
    metrics.limited.inc({ what })
    return fail('RATE_LIMITED', Math.ceil(waitMs / 1_000))
  }

  return {
    publish: async (who, size, volatile) => {
      const cost = size + MESSAGE_BYTES
      if (who.kind === 'backend') return keyBytes ? spend('key_bytes', keyBytes, who, cost) : ok(true)
      const counted = await spend('person_messages', messages, who, 1)
      const weighed = counted.ok ? await spend('person_bytes', bytes, who, cost) : counted
      return weighed.ok && !volatile ? spend('person_kept', kept, who, cost) : weighed
    },

    begin: async (who) => (who.kind === 'backend' ? ok(true) : spend('person_channels', channels, who, 1)),

    follow: async (who) => {
      if (who.kind === 'backend') return ok(nothing)
      const leave = await places.enter(nameOf(who))
      if (leave) return ok(leave)
      metrics.limited.inc({ what: 'person_follows' })
      return fail('TOO_MANY_CHANNELS')
    },

    close: places.close,
  }
}
