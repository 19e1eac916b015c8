import type { Audit } from '@saoma/audit'
import { createEnds } from '@saoma/channels'
import { type OpenSessions, openSessions } from '@saoma/identity'
import type { RedisClients } from '@saoma/redis'
import { REMEMBER_ENDS_MS } from '../access/signed-tokens.ts'
import type { Config } from '../config/config.ts'
import { noteEnded } from '../login/audited.ts'
import { createEndPerson, type EndPerson } from '../login/end-person.ts'

/** How a command ends sessions: as a node does. */
export interface Ending {
  sessions: OpenSessions['sessions']
  endPerson: EndPerson
  close(): void
}

/**
 * Needs a Redis and no node.
 *
 * @param apart  the Redis of the live channels, if they have one of their own
 */
export const openEnding = (
  redis: RedisClients,
  apart: RedisClients | undefined,
  { origin, times }: Pick<Config, 'origin' | 'times'>,
  audit: Pick<Audit, 'note'>,
): Ending => {
  const channels = createEnds(apart ?? redis)
  const { sessions, close } = openSessions(redis, {
    origin,
    times,
    onSessionEnded: ({ sub, sid, ...why }) => {
      noteEnded(audit, { sub, sid })
      return channels.end(sub, sid, why)
    },
  })
  // The nodes may know JWTs of the business, even if the settings of this shell do not say so.
  const endPerson = createEndPerson({ identity: sessions, channels, audit, keepMs: REMEMBER_ENDS_MS })
  return { sessions, endPerson, close }
}
