import { createHash, randomBytes } from 'node:crypto'
import { fail, ok, type Result } from '@saoma/protocol'
import type { RedisClients } from '@saoma/redis'
import { isClientId, type Registration } from './read-clients.ts'
import { clientOfStored, createClientForm, type StoredClient } from './stored-client.ts'
import { withSecret } from './stored-entry.ts'
import { type Caller, type Changed, createTableStore, type TableStore } from './table-store.ts'

/** An application that was made. A confidential one has a secret, which is told once. */
export interface MadeClient {
  secret?: string
  entry: StoredClient
}

/** One with a new secret, and what it was before. */
export type RotatedClient = Required<MadeClient> & Changed<StoredClient>

/** Members of a registration to change. `undefined` leaves a member out. */
export type ClientChange = { [member in keyof Registration]?: Registration[member] | undefined }

/**
 * The registered applications in Redis. Every call rejects with RedisUnavailable when Redis is unavailable.
 * INVALID comes with a sentence that names the member.
 */
export interface ClientStore extends Omit<TableStore<StoredClient>, 'create' | 'change'> {
  /** Fails with INVALID, NAME_TAKEN if there is one with this id, or REVOKED if the caller is. */
  create(registration: Registration, madeBy: string, caller?: Caller<StoredClient>): Promise<Result<MadeClient>>
  /** Fails with INVALID, NOT_FOUND if there is no such application, or REVOKED. */
  change(id: string, change: ClientChange, caller?: Caller<StoredClient>): Promise<Result<Changed<StoredClient>>>
  /**
   * A new secret. The one before stays good for `overlapMs`, and those before it until their own end. Without
   * `overlapMs` all of them end. Fails with NOT_FOUND, REVOKED, or INVALID of a public application.
   */
  rotate(id: string, overlapMs: number, caller?: Caller<StoredClient>): Promise<Result<RotatedClient>>
}

/** Most applications in Redis. */
export const MOST_CLIENTS = 1_000
/** Most characters of a registration in JSON. Every node holds all of them. */
const LONGEST = 16_384
const SECRET_BYTES = 32

/** A new secret of an application, and its SHA-256 in hex. */
export const drawClientSecret = (): { secret: string; sha256: string } => {
  const secret = randomBytes(SECRET_BYTES).toString('base64url')
  return { secret, sha256: createHash('sha256').update(secret).digest('hex') }
}

const invalid = (detail: string): Result<never> => ({ ...fail('INVALID'), detail })

/** The entry, if nodes take it. */
const checked = (entry: StoredClient): Result<StoredClient> => {
  const read = clientOfStored(entry)
  if (!('client' in read)) return invalid([read.member, read.what].filter(Boolean).join(' '))
  return JSON.stringify(entry.client).length > LONGEST
    ? invalid(`an application has at most ${LONGEST} characters`)
    : ok(entry)
}

const withoutUndefined = (change: ClientChange): Registration =>
  Object.fromEntries(Object.entries(change).filter(([, value]) => value !== undefined)) as Registration

export const createClientStore = (
  redis: Pick<RedisClients, 'data' | 'keys'>,
  secrets: readonly [string, ...string[]],
): ClientStore => {
  const { keys } = redis
  const table = createTableStore(redis, {
    form: createClientForm(secrets),
    at: { table: keys.clients(), uses: keys.clientUses(), channel: keys.clientChanges() },
    isName: isClientId,
    most: MOST_CLIENTS,
    plural: 'applications',
    singular: 'application',
    command: 'saoma client',
  })

  return {
    ...table,

    create: async (client, madeBy, caller) => {
      const drawn = client.type === 'confidential' ? drawClientSecret() : undefined
      const order = { name: client.client_id, client, madeBy, secrets: drawn ? [{ sha256: drawn.sha256 }] : [] }
      const good = checked({ ...order, id: '', revision: 0, madeAt: 0 })
      if (!good.ok) return good
      const made = await table.create(order, caller)
      return made.ok ? ok({ ...(drawn ? { secret: drawn.secret } : {}), entry: made.value }) : made
    },

    change: (id, change, caller) =>
      table.change(
        id,
        (entry) => {
          const client = withoutUndefined({ ...entry.client, ...change })
          // A secret belongs to a confidential application alone.
          if (client.type !== entry.client.type) return invalid('type cannot be changed: make another application')
          const isSame = JSON.stringify(sorted(client)) === JSON.stringify(sorted(entry.client))
          return isSame ? ok(entry) : checked({ ...entry, client })
        },
        caller,
      ),

    rotate: async (id, overlapMs, caller) => {
      const { secret, sha256 } = drawClientSecret()
      const changed = await table.change(
        id,
        (entry) =>
          entry.client.type === 'public'
            ? invalid('a public application has no secret')
            : ok(withSecret(entry, sha256, overlapMs)),
        caller,
      )
      return changed.ok ? ok({ secret, ...changed.value }) : changed
    },
  }
}

const sorted = (client: Registration): unknown => Object.entries(client).sort(([a], [b]) => (a < b ? -1 : 1))
