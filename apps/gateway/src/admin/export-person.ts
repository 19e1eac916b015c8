import type { Account, Accounts, OutsideIdentity } from '@saoma/accounts'
import { type Audit, MOST_ACTIVITY } from '@saoma/audit'
import { keptMessages } from '@saoma/channels'
import type { Identity, SessionRecord } from '@saoma/identity'
import { type ActivityEntry, userChannel } from '@saoma/protocol'
import type { RedisClients } from '@saoma/redis'

export interface ExportPersonDeps {
  /** The Redis of the live channels. */
  channelsRedis: Pick<RedisClients, 'data' | 'keys'>
  accounts: Pick<Accounts, 'find' | 'identities'>
  identity: Pick<Identity, 'sessions'>
  audit: Pick<Audit, 'activity'>
}

/** An account as administrators see it. */
export interface AccountView extends Account {
  identities: OutsideIdentity[]
}

/** Undefined for an account that never was, or was deleted more than 90 days ago. */
export const viewAccount = async (
  accounts: Pick<Accounts, 'find' | 'identities'>,
  sub: string,
): Promise<AccountView | undefined> => {
  const account = await accounts.find(sub)
  return account && { ...account, identities: await accounts.identities(sub) }
}

/**
 * All that is kept of a person, as pieces of one JSON document: `{ sub, account, sessions, activity, messages
 * }`. A document that broke off is no JSON, so nobody takes a part for the whole. What may be long is read
 * page by page while it is sent. It may be given to the person: `activity` has what the person reads too.
 *
 * Resolves with undefined if there is no such account. Rejects with RedisUnavailable, and so does the first
 * piece that cannot be read.
 */
export type ExportPerson = (sub: string) => Promise<AsyncGenerator<string> | undefined>

async function* activityOf({ activity }: Pick<Audit, 'activity'>, sub: string): AsyncGenerator<ActivityEntry> {
  let cursor: string | undefined
  do {
    const page = await activity(sub, { limit: MOST_ACTIVITY, ...(cursor === undefined ? {} : { cursor }) })
    if (!page.ok) throw new TypeError(`the audit cannot be asked for this person: ${page.code}`)
    yield* page.value.entries
    cursor = page.value.cursor
  } while (cursor !== undefined)
}

/** A JSON array in pieces. */
async function* arrayOf(items: AsyncIterable<string>): AsyncGenerator<string> {
  let before = '['
  for await (const item of items) {
    yield `${before}\n${item}`
    before = ','
  }
  yield before === '[' ? '[]' : ']'
}

async function* mapped<T>(items: AsyncIterable<T>, textOf: (item: T) => string): AsyncGenerator<string> {
  for await (const item of items) yield textOf(item)
}

export const createExportPerson = ({ channelsRedis, accounts, identity, audit }: ExportPersonDeps): ExportPerson => {
  async function* documentOf({ sub, ...account }: AccountView, sessions: SessionRecord[]): AsyncGenerator<string> {
    yield `{"sub":${JSON.stringify(sub)},\n"account":${JSON.stringify(account)},\n`
    yield `"sessions":${JSON.stringify(sessions)},\n"activity":`
    yield* arrayOf(mapped(activityOf(audit, sub), (entry) => JSON.stringify(entry)))
    yield ',\n"messages":'
    yield* arrayOf(mapped(keptMessages(channelsRedis, userChannel(sub)), ({ json }) => json))
    yield '}\n'
  }

  return async (sub) => {
    const account = await viewAccount(accounts, sub)
    return account && documentOf(account, await identity.sessions(sub))
  }
}
