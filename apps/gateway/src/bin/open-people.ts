import { createAccounts, openAccountKeys } from '@saoma/accounts'
import { createAudit } from '@saoma/audit'
import type { OpenSessions } from '@saoma/identity'
import type { RedisClients } from '@saoma/redis'
import { type AccountView, viewAccount } from '../admin/export-person.ts'
import { createPeopleActs, type PeopleActs } from '../admin/people-acts.ts'
import type { Config } from '../config/config.ts'
import { noteAccounts } from '../login/audited-accounts.ts'
import { openEnding } from './open-ending.ts'

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
  const accountKeys = await openAccountKeys(redis, { secrets: config.secrets })
  const accounts = noteAccounts(createAccounts(redis, accountKeys), audit)
  const { sessions, endPerson, close } = openEnding(redis, apart, config, audit)
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
      close()
      accountKeys.close()
      await audit.close()
    },
  }
}
