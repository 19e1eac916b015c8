import { type RedisClients, reply } from '@saoma/redis'
import type { Adapter } from 'oidc-provider'
import { createRecords, recordKey } from './records.ts'
import type { EndedSession } from './session-ends.ts'

/** Sessions: each is a grant of the provider, and its id is the `sid` of every token. */
export interface Grants {
  /** oidc-provider's storage of them. */
  adapter: Adapter
  isLive(sid: string): Promise<boolean>
}

const MODEL = 'Grant'

/** @param onEnded  told once of each session that is ended, when its record is gone; must not reject */
export const createGrants = (redis: RedisClients, onEnded: (session: EndedSession) => Promise<void>): Grants => {
  const { data, keys } = redis
  const at = (sid: string) => recordKey(keys, MODEL, sid)

  return {
    adapter: {
      ...createRecords(redis, MODEL),
      // Whoever ends a session, the provider comes through here: by revocation, or because a refresh token was used twice.
      destroy: async (sid) => {
        const [read] = (await reply(data.multi().hget(at(sid), 'payload').unlink(at(sid)).exec())) ?? []
        const payload = read?.[1]
        if (typeof payload !== 'string') return
        const { accountId } = JSON.parse(payload) as { accountId?: string }
        if (accountId) await onEnded({ sub: accountId, sid })
      },
    },
    isLive: async (sid) => (await reply(data.exists(at(sid)))) === 1,
  }
}
