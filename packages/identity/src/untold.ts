import { hash } from 'node:crypto'
import { type Keys, orUnavailable, type RedisClients } from '@saoma/redis'
import { createDueList, type DueList } from './due-list.ts'
import { told } from './scripts.ts'

/** Who has to be told of an end. */
export interface Left {
  sub: string
  /** The session, as tokens name it. */
  sid: string
  /** Client ids. */
  clients: string[]
}

/**
 * The applications that have yet to be told of the end of a session. An end leaves them in Redis, in the step
 * that ends the session (`take`). A list names what is due. `id` is that of the session, or of an
 * application's grant. Calls reject with RedisUnavailable.
 */
export interface Untold extends DueList {
  /** Key of what an end leaves. */
  at(id: string): string
  /** How long it is left, in milliseconds. */
  readonly keepMs: number
  /**
   * Puts something on the list that is about to end. It is looked at some seconds later if nobody has said
   * more by then. Never rejects: that a session ends is more important.
   */
  announce(id: string): Promise<void>
  /** Says that it has ended, and left applications. Never rejects: if it fails, the announcement counts. */
  left(id: string): Promise<void>
  find(id: string): Promise<Left | undefined>
  /** Takes applications out, and counts a try. Resolves with the tries so far, and how many are left. */
  told(id: string, clients: readonly string[]): Promise<{ tries: number; left: number }>
}

const MINUTE_MS = 60_000
/** Longer than all tries together. */
const KEEP_MS = 120 * MINUTE_MS
/** Longer than an end takes from its first step to its last. */
const GRACE_MS = 15_000
/** What the fields begin with that name an application. */
const MARK = '@'

const untoldKey = (keys: Keys, id: string): string => keys.untold(hash('sha256', id, 'base64url'))

/** @param onLeft  called when an end in this process has left applications */
export const createUntold = (
  { data, keys }: Pick<RedisClients, 'data' | 'keys'>,
  onLeft: () => void = () => {},
): Untold => {
  const list = createDueList({ data }, keys.untoldDue(), KEEP_MS)
  return {
    ...list,
    at: (id) => untoldKey(keys, id),
    keepMs: KEEP_MS,
    announce: (id) => list.schedule(id, GRACE_MS).catch(() => {}),
    left: (id) => list.schedule(id, 0).then(onLeft, () => {}),
    find: async (id) => {
      const { s: sub, d: sid, ...rest } = await orUnavailable(data.hgetall(untoldKey(keys, id)))
      if (sub === undefined || sid === undefined) return undefined
      const clients = Object.keys(rest).flatMap((name) => (name.startsWith(MARK) ? [name.slice(MARK.length)] : []))
      return { sub, sid, clients }
    },
    told: (id, clients) => told(data, [untoldKey(keys, id)], clients),
  }
}
