import type { Rights } from './grant.ts'
import { isGood, isOver, type KeyStore, type KeyUse } from './key-store.ts'
import type { Backend } from './principal.ts'
import type { ChannelAct, Scope } from './scopes.ts'
import type { StoredKey } from './stored-key.ts'

/** A key as administrators see it. Times are in ISO 8601. */
export interface ListedKey {
  name: string
  source: 'file' | 'redis'
  channels: readonly string[]
  may: readonly ChannelAct[]
  scopes: readonly Scope[]
  /** Members from here on are there if they are known. */
  madeAt?: string
  /** The name of the key that made it. It is missing if the command did. */
  madeBy?: string
  expiresAt?: string
  rotatedAt?: string
  /** While rotations overlap: when the last one of the former secrets stops. */
  formerUntil?: string
  firstUsedAt?: string
  lastUsedAt?: string
  /** No secret of this node opens it, so it is good for nothing. */
  unreadable?: true
}

const timeOf = <N extends string>(name: N, ms: number | undefined): { [K in N]?: string } =>
  (ms === undefined ? {} : { [name]: new Date(ms).toISOString() }) as { [K in N]?: string }

const usesOf = (use: KeyUse | undefined) => ({
  ...timeOf('firstUsedAt', use?.first),
  ...timeOf('lastUsedAt', use?.last),
})

/** What a stored key may do. */
export const rightsOf = ({ channels, may, scopes, expiresAt = Number.POSITIVE_INFINITY }: StoredKey): Rights => ({
  channels,
  may,
  scopes,
  expiresAt,
})

export const listed = (key: StoredKey, use?: KeyUse): ListedKey => {
  const { name, channels, may, scopes, madeAt, madeBy, expiresAt, rotatedAt } = key
  const now = Date.now()
  const ends = key.secrets.flatMap((secret) =>
    secret.until !== undefined && isGood(secret, now) ? [secret.until] : [],
  )
  return {
    ...{ name, source: 'redis', channels, may, scopes },
    ...timeOf('madeAt', madeAt),
    ...(madeBy === '' ? {} : { madeBy }),
    ...timeOf('expiresAt', expiresAt),
    ...timeOf('rotatedAt', rotatedAt),
    ...timeOf('formerUntil', ends.length > 0 ? Math.max(...ends) : undefined),
    ...usesOf(use),
  }
}

export const listedOfFile = ({ name, channels, may, scopes }: Backend, use?: KeyUse): ListedKey => ({
  ...{ name, source: 'file', channels, may, scopes },
  ...usesOf(use),
})

/** All keys of both sources, by name. */
export const listKeys = async (
  store: Pick<KeyStore, 'read' | 'uses'>,
  file: readonly Backend[],
): Promise<readonly ListedKey[]> => {
  const [{ keys }, uses] = await Promise.all([store.read(), store.uses()])
  const now = Date.now()
  const ofRedis = [...keys].flatMap(([name, { key, id }]): readonly ListedKey[] => {
    if (key) return isOver(key, now) ? [] : [listed(key, uses.get(id))]
    return [{ name, source: 'redis', channels: [], may: [], scopes: [], unreadable: true }]
  })
  const placeOf = ({ name, source }: ListedKey): string => `${name} ${source}`
  return [...ofRedis, ...file.map((backend) => listedOfFile(backend, uses.get(backend.id ?? '')))].sort((a, b) =>
    placeOf(a) < placeOf(b) ? -1 : 1,
  )
}
