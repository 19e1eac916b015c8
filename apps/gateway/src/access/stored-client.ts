import type { Client } from '@saoma/identity'
import * as v from 'valibot'
import { type Registration, readClient } from './read-clients.ts'
import { createEntryForm, type EntryForm, type StoredEntry, storedMembers } from './stored-entry.ts'

/** An application as it is kept in Redis: never its secret. Its name is the `client_id`. */
export interface StoredClient extends StoredEntry {
  /** What was registered, as it stands in a file. */
  client: Registration
}

/** The application as identity knows it, or what is wrong with it. */
const readStored = ({ client, secrets }: Pick<StoredClient, 'client' | 'secrets'>) =>
  readClient(secrets[0] ? { ...client, secret_sha256: secrets[0].sha256 } : client)

/** One with members that this version does not know cannot be read: they may forbid something. */
const isRead = (stored: StoredClient): boolean =>
  'client' in readStored(stored) && stored.client.client_id === stored.name

const isRegistration = (value: unknown): value is Registration => typeof value === 'object' && value !== null

const Stored = v.pipe(
  v.object({ ...storedMembers, name: v.string(), client: v.custom<Registration>(isRegistration) }),
  v.check((stored) => isRead(stored)),
) satisfies v.GenericSchema<unknown, StoredClient>

/** How applications stand in Redis. */
export const createClientForm = (secrets: readonly [string, ...string[]]): EntryForm<StoredClient> =>
  createEntryForm(secrets, 'saoma clients', Stored)

/** The application, or why it cannot be one: the member, and the end of a sentence. */
export const clientOfStored = (
  stored: Pick<StoredClient, 'id' | 'client' | 'secrets'>,
): { client: Client } | { member: string | undefined; what: string } => {
  const read = readStored(stored)
  if (!('client' in read)) return read
  const former = stored.secrets
    .slice(1)
    .flatMap(({ sha256, until }) => (until === undefined ? [] : [{ sha256, until }]))
  return {
    client: { ...read.client, ...(former.length > 0 ? { formerSecrets: former } : {}), registration: stored.id },
  }
}
