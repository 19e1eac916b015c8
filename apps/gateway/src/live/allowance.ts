import { fail, ok, type Result } from '@saoma/protocol'
import {
  type Budget,
  budgetKey,
  createBudget,
  createPlaces,
  type Keys,
  placesKey,
  type RedisClients,
} from '@saoma/redis'
import type { Person, Principal } from '../access/principal.ts'
import type { Config } from '../config/config.ts'
import type { Metrics } from '../operate/metrics.ts'

/**
 * The quotas of a principal over the whole cluster. A person can have any number of sockets, tokens,
 * addresses and nodes, so the quotas count persons and not those. An API key belongs to the operator and has
 * a budget only if one is configured.
 */
export interface Allowance {
  /** Spends the cost of a message. `bytes` is the size of the JSON of its data. */
  publish(who: Principal, bytes: number, volatile: boolean): Promise<Result<true>>
  /** Spends the creation of a channel. */
  begin(who: Principal): Promise<Result<true>>
  /** Takes one subscription slot. Call the value to release it. */
  follow(who: Principal): Promise<Result<() => void>>
  close(): void
}

export interface AllowanceDeps {
  /** The Redis of the channels, so that a flood does not reach the Redis of the logins. */
  redis: Pick<RedisClients, 'data' | 'keys'>
  metrics: Pick<Metrics, 'limited'>
}

const MINUTE_MS = 60_000
const DAY_MS = 86_400_000
/** Overhead of a kept message in Redis besides its text, as measured in docs/operate.md. */
const MESSAGE_BYTES = 140
/** Subscriptions of one person that a node grants without counting in Redis, enough for an ordinary page. */
const FREE_FOLLOWS = 100

/** Budgets of a person, and their places. */
const BUDGETS = ['messages', 'bytes', 'kept', 'channels'] as const
const FOLLOWS = 'follows'

const nothing = () => {}

const nameOfPerson = (issuer: Person['issuer'], user: string): string => `${issuer} ${user}`

/** Keys that count what a person has used. */
export const allowanceKeysOf = (keys: Keys, user: string): string[] =>
  (['saoma', 'business'] as const).flatMap((issuer) => {
    const name = nameOfPerson(issuer, user)
    return [...BUDGETS.map((budget) => budgetKey(keys, budget, name)), placesKey(keys, FOLLOWS, name)]
  })

export const createAllowance = (
  { redis, metrics }: AllowanceDeps,
  { nodeId, limits }: { nodeId: string; limits: Config['limits'] },
): Allowance => {
  const budget = (name: (typeof BUDGETS)[number] | 'key-bytes', limit: number, windowMs: number) =>
    createBudget(redis, { name, limit, windowMs })
  const messages = budget('messages', limits.personMessages, MINUTE_MS)
  const bytes = budget('bytes', limits.personBytes, MINUTE_MS)
  const kept = budget('kept', limits.personBytesADay, DAY_MS)
  const channels = budget('channels', limits.personChannels, DAY_MS)
  const keyBytes = limits.keyBytes > 0 ? budget('key-bytes', limits.keyBytes, MINUTE_MS) : undefined
  const places = createPlaces(redis, { name: FOLLOWS, nodeId, limit: limits.personFollows, free: FREE_FOLLOWS })

  const nameOf = (who: Principal): string =>
    who.kind === 'person' ? nameOfPerson(who.issuer, who.user) : `key ${who.name}`

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
