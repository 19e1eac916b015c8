import type { ClientList } from '../access/client-list.ts'
import { createClientStore, type MadeClient } from '../access/client-store.ts'
import { type ListedClient, listClients, listedClient } from '../access/listed-client.ts'
import type { Registration } from '../access/read-clients.ts'
import { KEEPS_MARKS_MS } from '../access/table-store.ts'
import { orThrow, removeEntry, tellOnce, withCommandStore } from './command-store.ts'

/** An application that was just made or rotated: `client_secret` is told once. */
export type ToldClient = { client_secret?: string } & ListedClient

/** The applications in Redis, as the command works with them. Every failure is an error for the user. */
export interface StoredClientCommands {
  /** `tell` is called with the application. If it rejects, the application is removed again. */
  create(client: Registration, tell: (made: ToldClient) => Promise<void>): Promise<void>
  /** The same. If it rejects, the application gets its former secrets back. */
  rotate(id: string, overlapMs: number, tell: (made: ToldClient) => Promise<void>): Promise<void>
  /** Resolves with whether there was one. */
  remove(id: string): Promise<boolean>
  /** With the applications of the file. */
  list(file: Pick<ClientList, 'find' | 'registrations'>): Promise<readonly ListedClient[]>
}

const told = ({ secret, entry }: MadeClient): ToldClient => ({
  ...(secret === undefined ? {} : { client_secret: secret }),
  ...listedClient(entry),
})

/** Works with the Redis of the settings. @param given  the settings of a node */
export const withStoredClients = <T>(
  given: Readonly<Record<string, string | undefined>>,
  work: (clients: StoredClientCommands) => Promise<T>,
): Promise<T> =>
  withCommandStore('client', given, ({ redis, audit, config }) => {
    const store = createClientStore(redis, config.secrets)
    const note = (kind: 'client.made' | 'client.rotated', client: string): void =>
      audit.note({ kind, client, by: 'operator' })

    /** Nodes put back what a failover loses, but perhaps none of them has heard of this change. */
    const writing = (): (() => Promise<void>) => redis.writing(redis.keys.clients())

    return work({
      create: async (client, tell) => {
        const id = client.client_id
        const acknowledged = writing()
        const made = orThrow(await store.create(client, ''), {
          NAME_TAKEN: `Redis has ${id} already. Take another id, or remove that one first.`,
        })
        await tellOnce(
          acknowledged,
          () => tell(told(made)),
          async (code) => {
            // An application whose secret nobody knows stands in the way of the next try.
            await store.remove(id)
            return `The secret cannot be printed (${code}). So nothing was added.`
          },
        )
        note('client.made', id)
      },
      rotate: async (id, overlapMs, tell) => {
        const acknowledged = writing()
        const made = orThrow(await store.rotate(id, overlapMs), {
          NOT_FOUND: `Redis has no application ${id}. In a file replace secret_sha256.`,
        })
        await tellOnce(
          acknowledged,
          () => tell(told(made)),
          async (code) => {
            // A secret that nobody knows must not end the one in use.
            if (await store.takeBack(made))
              return `The new secret cannot be printed (${code}). So the former one stays.`
            note('client.rotated', id)
            return `The new secret cannot be printed (${code}), and somebody has changed the application meanwhile: see saoma client list.`
          },
        )
        note('client.rotated', id)
      },
      remove: async (id) => {
        const acknowledged = writing()
        const wasThere = await removeEntry(store, id, (entry) => {
          const once = { name: `client.removed.${entry}`, ms: KEEPS_MARKS_MS }
          audit.note({ kind: 'client.removed', client: id, by: 'operator' }, { once })
        })
        await acknowledged()
        return wasThere
      },
      list: (file) => listClients(store, file),
    })
  })
