import { type Client, pageOrigins } from '@saoma/identity'
import type { ClientStore } from './client-store.ts'
import { type HeldTable, type HeldTableDeps, holdTable } from './held-table.ts'
import { clientOfStored, type StoredClient } from './stored-client.ts'

/** The applications of Redis, all of them in the memory of one node. */
export interface HeldClients extends HeldTable<StoredClient> {
  find(id: string): Client | undefined
  ids(): Iterable<string>
  /** Ids of public applications that have pages of an origin. */
  idsAt(origin: string): readonly string[]
  /** Whether a registration is one of these, and has ended, as Redis says. Rejects with RedisUnavailable. */
  hasEnded(registration: string): Promise<boolean>
  /** Calls a listener after each read, until the result is called. */
  onChange(listener: () => void): () => void
}

export const holdClients = ({
  store,
  ...deps
}: Omit<HeldTableDeps<StoredClient>, 'store'> & { store: ClientStore }): HeldClients => {
  let clients: ReadonlyMap<string, Client> = new Map()
  let registrations: ReadonlySet<string> = new Set()
  let ofOrigin: ReadonlyMap<string, readonly string[]> = new Map()
  const listeners = new Set<() => void>()

  const take = (entries: ReadonlyMap<string, StoredClient>): void => {
    const read = [...entries.values()].flatMap((entry) => {
      const one = clientOfStored(entry)
      return 'client' in one ? [one.client] : []
    })
    clients = new Map(read.map((client) => [client.id, client]))
    registrations = new Set(read.flatMap(({ registration }) => registration ?? []))
    const idsAt = new Map<string, string[]>()
    for (const client of read)
      for (const origin of pageOrigins(client)) idsAt.set(origin, [...(idsAt.get(origin) ?? []), client.id])
    ofOrigin = idsAt
    for (const listener of [...listeners]) listener()
  }

  const table = holdTable({ store, ...deps }, { event: 'clients', plural: 'applications', onEntries: take })
  return {
    ...table,
    find: (id) => clients.get(id),
    ids: () => clients.keys(),
    idsAt: (origin) => ofOrigin.get(origin) ?? [],
    hasEnded: async (registration) => registrations.has(registration) && store.isMarked(registration),
    onChange: (listener) => {
      listeners.add(listener)
      return () => void listeners.delete(listener)
    },
  }
}
