import * as v from 'valibot'
import { arePatterns, isKeyName } from './api-keys.ts'
import { type ChannelAct, channelActs, isScope, type Scope } from './scopes.ts'
import { createEntryForm, type EntryForm, type StoredEntry, storedMembers } from './stored-entry.ts'

/** An API key as it is kept in Redis: never the key itself. */
export interface StoredKey extends StoredEntry {
  channels: readonly string[]
  may: readonly ChannelAct[]
  scopes: readonly Scope[]
}

/** Acts and scopes of a later version are left out: nobody here asks for them. */
const known = <T extends string>(is: (word: string) => word is T) =>
  v.pipe(
    v.array(v.string()),
    v.transform((words) => words.filter(is)),
  )
const isAct = (word: string): word is ChannelAct => (channelActs as readonly string[]).includes(word)

const Stored = v.object({
  ...storedMembers,
  name: v.pipe(v.string(), v.check(isKeyName)),
  channels: v.array(v.pipe(v.string(), v.check(arePatterns))),
  may: known(isAct),
  scopes: known(isScope),
}) satisfies v.GenericSchema<unknown, StoredKey>

/** How API keys stand in Redis. */
export const createKeyForm = (secrets: readonly [string, ...string[]]): EntryForm<StoredKey> =>
  createEntryForm(secrets, 'saoma api keys', Stored)
