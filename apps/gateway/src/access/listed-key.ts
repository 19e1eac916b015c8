import type { Rights } from './grant.ts'
import type { KeyStore } from './key-store.ts'
import { type ListedTimes, timesOf, usesOf } from './listed-entry.ts'
import type { Backend } from './principal.ts'
import type { ChannelAct, Scope } from './scopes.ts'
import type { StoredKey } from './stored-key.ts'
import { isOver, type Use } from './table-store.ts'

/** A key as administrators see it. */
export interface ListedKey extends ListedTimes {
  name: string
  source: 'file' | 'redis'
  channels: readonly string[]
  may: readonly ChannelAct[]
  scopes: readonly Scope[]
  /** No secret of this node opens it, so it is good for nothing. */
  unreadable?: true
}

/** What a stored key may do. */
export const rightsOf = ({ channels, may, scopes, expiresAt = Number.POSITIVE_INFINITY }: StoredKey): Rights => ({
  channels,
  may,
  scopes,
  expiresAt,
})

export const listed = (key: StoredKey, use?: Use): ListedKey => {
  const { name, channels, may, scopes } = key
  return { ...{ name, source: 'redis', channels, may, scopes }, ...timesOf(key, use) }
}

export const listedOfFile = ({ name, channels, may, scopes }: Backend, use?: Use): ListedKey => ({
  ...{ name, source: 'file', channels, may, scopes },
  ...usesOf(use),
})

/** The place of a key in the list. */
export const placeOfKey = ({ name, source }: ListedKey): string => `${name} ${source}`

/** All keys of both sources, by name. */
export const listKeys = async (
  store: Pick<KeyStore, 'read' | 'uses'>,
  file: readonly Backend[],
): Promise<readonly ListedKey[]> => {
  const [{ entries }, uses] = await Promise.all([store.read(), store.uses()])
  const now = Date.now()
  const ofRedis = [...entries].flatMap(([name, { entry, id }]): readonly ListedKey[] => {
    if (entry) return isOver(entry, now) ? [] : [listed(entry, uses.get(id))]
    return [{ name, source: 'redis', channels: [], may: [], scopes: [], unreadable: true }]
  })
  return [...ofRedis, ...file.map((backend) => listedOfFile(backend, uses.get(backend.id ?? '')))].sort((a, b) =>
    placeOfKey(a) < placeOfKey(b) ? -1 : 1,
  )
}
