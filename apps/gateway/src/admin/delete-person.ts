import { setTimeout as delay } from 'node:timers/promises'
import type { Accounts } from '@saoma/accounts'
import { type Audit, MOST_ACTIVITY } from '@saoma/audit'
import { eraseChannel } from '@saoma/channels'
import type { Identity } from '@saoma/identity'
import { userChannel } from '@saoma/protocol'
import { orUnavailable, type RedisClients } from '@saoma/redis'
import { createInbox, eraseTicket } from '@saoma/tickets'
import { allowanceKeysOf } from '../live/allowance.ts'
import { because, type EndCause } from '../login/end-cause.ts'
import type { EndPerson } from '../login/end-person.ts'
import { limitKeysOf } from '../transport/limits.ts'

export interface DeletePersonDeps {
  /** The Redis of the logins. */
  redis: Pick<RedisClients, 'data' | 'keys' | 'writing'>
  /** The Redis of the live channels, if they have one of their own. */
  channelsRedis?: Pick<RedisClients, 'data' | 'keys' | 'writing'> | undefined
  accounts: Pick<Accounts, 'remove'>
  identity: Pick<Identity, 'eraseTokens'>
  audit: Pick<Audit, 'activity' | 'forget'>
  endPerson: EndPerson
  /** Resolves when what was going on is over. @default after a second */
  settle?: () => Promise<unknown>
}

/** What a deletion has done. */
export interface PersonDeleted {
  /** `unknown`: there is no account of this id, and none was deleted within 90 days. */
  state: 'deleted' | 'unknown'
  /** Sessions of Saoma that this call has ended. */
  ended: number
}

/** Longer than a ticket is kept. */
const TICKETS_MS = 3_600_000
/** Longer than the person's sockets and the publications of before go on. */
const SETTLE_MS = 1_000

/**
 * The tickets of a person's latest logins, as far as the audit names them. Others are not listed anywhere:
 * they go by themselves some minutes after their deadline.
 */
async function* ticketsOf({ activity }: Pick<Audit, 'activity'>, sub: string): AsyncGenerator<string> {
  const oldest = Date.now() - TICKETS_MS
  let cursor: string | undefined
  do {
    const page = await activity(sub, { limit: MOST_ACTIVITY, ...(cursor === undefined ? {} : { cursor }) })
    if (!page.ok) return
    for (const { ticket, time } of page.value.entries) {
      if (Date.parse(time) < oldest) return
      if (ticket !== undefined) yield ticket
    }
    cursor = page.value.cursor
  } while (cursor !== undefined)
}

/**
 * Deletes what Redis holds of a person, and ends all that goes on. docs/operate.md lists what is kept of a
 * person, and what stays after this for how long. What the person has published in rooms stays there.
 *
 * The account is deleted first, so nothing can begin any more: no token, no scan, no refresh. The account's
 * own deletion may be repeated for 90 days, and so may this: a call that was interrupted is completed by the
 * next one. It takes a second, because what was on its way meanwhile goes too. Who publishes to the person
 * later begins the channel anew: nothing stops a backend from that.
 *
 * An id without an account may be one of a business's own tokens. What is kept under it goes too.
 *
 * Rejects with RedisUnavailable: then part of it may be done.
 */
export type DeletePerson = (sub: string, cause: EndCause) => Promise<PersonDeleted>

export const createDeletePerson = (deps: DeletePersonDeps): DeletePerson => {
  const { redis, channelsRedis = redis, accounts, identity, audit, endPerson } = deps
  const { settle = () => delay(SETTLE_MS) } = deps

  /** Erases the channel of a person and all that is counted for them. */
  const eraseLive = async (sub: string): Promise<void> => {
    await eraseChannel(channelsRedis, userChannel(sub))
    const erase = ({ data }: Pick<RedisClients, 'data'>, all: readonly string[]) =>
      all.map((key) => orUnavailable(data.unlink(key)))
    await Promise.all([
      ...erase(redis, limitKeysOf(redis.keys, sub)),
      ...erase(channelsRedis, allowanceKeysOf(channelsRedis.keys, sub)),
    ])
  }

  return async (sub, cause) => {
    const isKnown = await because(
      () => cause,
      () => accounts.remove(sub),
    )
    // While their sessions still name them. They are worthless already.
    await identity.eraseTokens(sub)
    const ended = await endPerson(sub, cause)
    const inbox = createInbox(redis)
    await inbox.erase(sub)
    await eraseLive(sub)
    // The sockets close when they are told. Until then they count for the person, and backends may publish.
    await settle()
    await inbox.erase(sub)
    await orUnavailable(redis.data.unlink(redis.keys.browsers(sub)))
    await eraseLive(sub)
    // By now every node has written into the audit what it noted of the person's last logins.
    for await (const ticket of ticketsOf(audit, sub)) await eraseTicket(redis, ticket, sub)
    // Last: each step before notes something. What this node still holds of that is not written any more.
    await audit.forget(sub)
    return { state: isKnown ? 'deleted' : 'unknown', ended }
  }
}
