import { orUnavailable, type RedisClients, scriptsIn } from '@saoma/redis'
import * as v from 'valibot'
import { eraseTicket } from './erase.ts'

const script = scriptsIn('tickets', new URL('../lua/', import.meta.url))

const Asked = v.union([v.tuple([v.literal('OK')]), v.tuple([v.literal('RATE_LIMITED'), v.number()])])

const ask = script<
  [requests: string],
  [ticket: string, client: string, most: number, windowMs: number],
  number | undefined
>('ask', 1, (raw) => v.parse(Asked, raw)[1])

const block = script<[requests: string], [client: string, blockMs: number], boolean>('block', 1, (raw) => raw === 1, {
  // Some bytes for a day, for an application that is registered. A person must always be able to refuse.
  allowOom: true,
})

/** A person gets so many requests in this time, unless they confirm them. */
export const MOST_REQUESTS = 3
export const REQUESTS_MS = 600_000
/** How long an application is refused of which a person has said: this was not me. */
export const BLOCK_MS = 24 * 60 * 60 * 1_000

/** A request that an application has sent to a person's phone. */
export interface SentRequest {
  ticket: string
  /** Id of the application. */
  client: string
  /** When, in milliseconds since 1970. */
  askedAt: number
}

/**
 * The requests to log in that applications send to people's phones. A person who does not want to log in must
 * not be asked until they give in: three requests in ten minutes count until they are confirmed, so declining
 * makes no room. Every call rejects with RedisUnavailable.
 */
export interface Inbox {
  /**
   * Takes a place. Resolves with the milliseconds to wait if there is none, or the person wants none. If it
   * rejects, the place may be taken: give it back.
   */
  ask(sub: string, ticket: string, client: string): Promise<number | undefined>
  /** The requests of the last ten minutes that were not confirmed, newest first. They may be over. */
  list(sub: string): Promise<SentRequest[]>
  /**
   * Makes room again: the person has confirmed it, or it did not come about. Resolves with whether this
   * ticket was such a request.
   */
  giveBack(sub: string, ticket: string): Promise<boolean>
  /** Whether this ticket is such a request. */
  has(sub: string, ticket: string): Promise<boolean>
  /** Refuses an application for a day. */
  block(sub: string, client: string): Promise<void>
  /** Deletes what is kept of a person here, with the tickets. */
  erase(sub: string): Promise<void>
}

const TICKET = 't:'

export const createInbox = ({ data, keys, writing }: Pick<RedisClients, 'data' | 'keys' | 'writing'>): Inbox => {
  const list = async (sub: string): Promise<SentRequest[]> =>
    Object.entries(await orUnavailable(data.hgetall(keys.requests(sub))))
      .flatMap(([name, value]) => {
        const [askedAt, client = ''] = value.split(' ')
        return name.startsWith(TICKET) ? [{ ticket: name.slice(TICKET.length), client, askedAt: Number(askedAt) }] : []
      })
      .sort((a, b) => b.askedAt - a.askedAt)

  return {
    ask: async (sub, ticket, client) => {
      const replicated = writing(keys.requests(sub))
      const waitMs = await ask(data, [keys.requests(sub)], [ticket, client, MOST_REQUESTS, REQUESTS_MS])
      if (waitMs === undefined) await replicated()
      return waitMs
    },
    list,
    giveBack: async (sub, ticket) => (await orUnavailable(data.hdel(keys.requests(sub), `${TICKET}${ticket}`))) === 1,
    has: async (sub, ticket) => (await orUnavailable(data.hexists(keys.requests(sub), `${TICKET}${ticket}`))) === 1,
    block: async (sub, client) => {
      const replicated = writing(keys.requests(sub))
      await block(data, [keys.requests(sub)], [client, BLOCK_MS])
      await replicated()
    },
    erase: async (sub) => {
      for (const { ticket } of await list(sub)) await eraseTicket({ data, keys }, ticket, sub)
      await orUnavailable(data.unlink(keys.requests(sub)))
    },
  }
}
