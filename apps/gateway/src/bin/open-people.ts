import { createAccounts, openAccountKeys } from '@saoma/accounts'
import { createAudit } from '@saoma/audit'
import { createEnds } from '@saoma/channels'
import { type OpenSessions, openSessions } from '@saoma/identity'
import type { RedisClients } from '@saoma/redis'
import { REMEMBER_ENDS_MS } from '../access/signed-tokens.ts'
import { type AccountView, viewAccount } from '../admin/export-person.ts'
import { createPeopleActs, type PeopleActs } from '../admin/people-acts.ts'
import type { Config } from '../config/config.ts'
import { noteEnded } from '../login/audited.ts'
import { noteAccounts } from '../login/audited-accounts.ts'
import { createEndPerson } from '../login/end-person.ts'

/** What a command does with people, as a node does it. */
export interface People extends PeopleActs {
  view(sub: string): Promise<AccountView | undefined>
  sessions: OpenSessions['sessions']['list']
  close(): Promise<void>
}

/**
 * Needs a Redis and no node.
 *
 * @param apart  the Redis of the live channels, if they have one of their own
 */
export const openPeople = async (
  redis: RedisClients,
  apart: RedisClients | undefined,
  config: Config,
): Promise<People> => {
  const audit = createAudit(redis, { ...config.audit, node: 'command', secrets: config.secrets })
  const channels = createEnds(apart ?? redis)
  const opened = openSessions(redis, {
    origin: config.origin,
    times: config.times,
    onSessionEnded: ({ sub, sid, ...why }) => {
      noteEnded(audit, { sub, sid })
      return channels.end(sub, sid, why)
    },
  })
  const accountKeys = await openAccountKeys(redis, { secrets: config.secrets })
  const accounts = noteAccounts(createAccounts(redis, accountKeys), audit)
  const { sessions } = opened
  // The nodes may know JWTs of the business, even if the settings of this shell do not say so.
  const endPerson = createEndPerson({ identity: sessions, channels, audit, keepMs: REMEMBER_ENDS_MS })
  const identity = { eraseTokens: sessions.eraseTokens, sessions: sessions.list }
  const acts = createPeopleActs({ redis, channelsRedis: apart, accounts, identity, audit, endPerson })
  return {
    ...acts,
    exportPerson: async (sub) => {
      const pieces = await acts.exportPerson(sub)
      if (pieces) audit.note({ kind: 'admin.acted', by: 'operator', person: sub, reason: 'accounts.export' })
      return pieces
    },
    view: (sub) => viewAccount(accounts, sub),
    sessions: sessions.list,
    close: async () => {
      opened.close()
      accountKeys.close()
      await audit.close()
    },
  }
}
