import { mastersOf, orUnavailable, type RedisClients } from '@saoma/redis'
import * as v from 'valibot'
import { createKeySeal } from './key-seal.ts'
import { StoredRing } from './signing-keys.ts'

/** What a Redis holds of a cluster's logins. */
export interface Survey {
  accounts: number
  /** People with entries in their session list. */
  people: number
  /** Entries of these lists, expired sessions included. */
  sessions: number
  /** ISO 8601 time at which the newest session began; undefined if there is none. */
  newest?: string
  /** Number of signing keys. All of them can be decrypted. */
  signingKeys: number
}

/** Keys per SCAN call. */
const COUNT = 1_000
const SINCE = v.object({ since: v.pipe(v.string(), v.isoTimestamp()) })
const readEntry = v.safeParser(v.pipe(v.string(), v.parseJson(), SINCE))

/**
 * Reads only, changes nothing. It scans every key once, which takes a minute for some millions of keys.
 * Rejects with RedisUnavailable, or with an error for the operator when the secrets do not decrypt the
 * signing keys.
 */
export const survey = async (
  { data, keys }: Pick<RedisClients, 'data' | 'keys'>,
  secrets: readonly [string, ...string[]],
): Promise<Survey> => {
  const found: Survey = { accounts: 0, people: 0, sessions: 0, signingKeys: 0 }
  const seal = createKeySeal(secrets)
  const text = await orUnavailable(data.get(keys.signingKeys()))
  for (const { sealed } of text ? v.parse(StoredRing, JSON.parse(text)) : []) {
    await seal.open(sealed)
    found.signingKeys++
  }

  const [account, list] = [keys.account(''), keys.sessions('')].map((key) => key.slice(0, -1)) as [string, string]
  const countLists = async (lists: readonly string[]): Promise<void> => {
    for (const entries of await Promise.all(lists.map((key) => orUnavailable(data.hvals(key))))) {
      const begun = entries
        .map((entry) => readEntry(entry))
        .flatMap((read) => (read.success ? [read.output.since] : []))
      if (begun.length > 0) found.people++
      found.sessions += begun.length
      for (const since of begun) if (since > (found.newest ?? '')) found.newest = since
    }
  }
  for (const master of mastersOf(data)) {
    let cursor = '0'
    do {
      const [next, names] = await orUnavailable(master.scan(cursor, 'MATCH', `${keys.prefix}:*`, 'COUNT', COUNT))
      found.accounts += names.filter((name) => name.startsWith(account)).length
      await countLists(names.filter((name) => name.startsWith(list)))
      cursor = next
    } while (cursor !== '0')
  }
  return found
}

/** Whether Redis holds nothing of this cluster: it never did, or all of it was lost. */
export const isVoid = async ({ data, keys }: Pick<RedisClients, 'data' | 'keys'>): Promise<boolean> =>
  (await orUnavailable(data.exists(keys.signingKeys(), keys.signingKeysKnown()))) === 0
