import { randomBytes } from 'node:crypto'
import calculateSlot from 'cluster-key-slot'
import { Redis } from 'ioredis'
import type { Connection } from './connection.ts'

/** Address of a shard's master, as `host:port`. Empty outside of a Redis Cluster. */
export type Shard = string

/** Most random tags that are tried for each shard. A shard with very few slots may stay without a tag. */
const MOST_DRAWS = 1_000

/** The present shards. */
export const shardsOf = (connection: Connection): Set<Shard> =>
  new Set(connection instanceof Redis ? [''] : connection.slots.flatMap((places) => places?.[0] ?? []))

/** The shard of a key or channel; undefined while the owner of its slot is unknown. */
export const shardOf = (connection: Connection, name: string): Shard | undefined =>
  connection instanceof Redis ? '' : connection.slots[calculateSlot(name)]?.[0]

/** The shard that this master belongs to. */
export const shardAt = (connection: Connection, { options }: Redis): Shard =>
  connection instanceof Redis ? '' : `${options.host}:${options.port}`

/** Draws a new hash tag for each of these shards, as far as one is found. */
export const drawTags = (connection: Connection, wanted: ReadonlySet<Shard>): Map<Shard, string> => {
  const tags = new Map<Shard, string>()
  for (let draws = 0; tags.size < wanted.size && draws < MOST_DRAWS; draws++) {
    const tag = randomBytes(9).toString('base64url')
    const shard = shardOf(connection, `{${tag}}`)
    if (shard !== undefined && wanted.has(shard) && !tags.has(shard)) tags.set(shard, tag)
  }
  return tags
}
