import type { ClientList } from './client-list.ts'
import type { ClientStore } from './client-store.ts'
import { type ListedTimes, timesOf, usesOf } from './listed-entry.ts'
import type { Registration } from './read-clients.ts'
import type { StoredClient } from './stored-client.ts'
import type { Use } from './table-store.ts'

/** An application as administrators see it. */
export interface ListedClient extends ListedTimes {
  client_id: string
  source: 'file' | 'redis'
  /** What was registered, as it was given. It is missing if it cannot be read. */
  client?: Registration
  /** It is in Redis, and one of the file has its id: that one counts. */
  hidden?: true
  /** No secret of this node opens it, or it is of a later version. So nobody gets in by it. */
  unreadable?: true
}

/** Under this id the uses of an application of the file are noted. */
export const useOfFile = (id: string): string => `file-${id}`

export const listedClient = (entry: StoredClient, use?: Use): ListedClient => ({
  ...{ client_id: entry.name, source: 'redis', client: entry.client },
  ...timesOf(entry, use),
})

const hiddenBy = (file: Pick<ClientList, 'find'>, id: string): Pick<ListedClient, 'hidden'> =>
  file.find(id) === undefined ? {} : { hidden: true }

type Sources = [store: Pick<ClientStore, 'read' | 'uses'>, file: Pick<ClientList, 'find' | 'registrations'>]

/** The place of an application in the list. */
export const placeOfClient = ({ client_id: id, source }: ListedClient): string => `${id} ${source}`

/** All applications of both sources, by id. */
export const listClients = async (...[store, file]: Sources): Promise<readonly ListedClient[]> => {
  const [{ entries }, uses] = await Promise.all([store.read(), store.uses()])
  const ofRedis = [...entries].map(([id, { entry, id: entryId }]): ListedClient => {
    const one = entry ? listedClient(entry, uses.get(entryId)) : ({ client_id: id, source: 'redis' } as const)
    return { ...one, ...hiddenBy(file, id), ...(entry ? {} : { unreadable: true as const }) }
  })
  const ofFile = [...file.registrations()].map(
    ([id, client]): ListedClient => ({
      ...{ client_id: id, source: 'file', client },
      ...usesOf(uses.get(useOfFile(id))),
    }),
  )
  return [...ofRedis, ...ofFile].sort((a, b) => (placeOfClient(a) < placeOfClient(b) ? -1 : 1))
}

/** The application that counts under this id; undefined if there is none. */
export const readListedClient = async (id: string, ...[store, file]: Sources): Promise<ListedClient | undefined> =>
  (await listClients(store, file)).find((listed) => listed.client_id === id)
