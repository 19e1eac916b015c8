import { randomBytes } from 'node:crypto'
import calculateSlot from 'cluster-key-slot'
import { Redis } from 'ioredis'
import type { Connection } from './connection.ts'

/**
 * Where the master of a shard is, as `host:port`; the empty one is all that there is outside of a Redis
 * Cluster.
 */
export type Shard = string

/** Draws of a tag for every shard: some for each, and not for ever for one that has next to no slots. */
const MOST_DRAWS = 1_000

/** The shards that there are now. */
export const shardsOf = (connection: Connection): Set<Shard> =>
  new Set(connection instanceof Redis ? [''] : connection.slots.flatMap((places) => places?.[0] ?? []))

/** The shard of a key or a channel; undefined while nobody is known to have its slot. */
export const shardOf = (connection: Connection, name: string): Shard | undefined =>
  connection instanceof Redis ? '' : connection.slots[calculateSlot(name)]?.[0]

/** The shard that a master of the connection is. */
export const shardAt = (connection: Connection, { options }: Redis): Shard =>
  connection instanceof Redis ? '' : `${options.host}:${options.port}`

/** A new hash tag that leads to each of these shards, as far as they were found. */
export const drawTags = (connection: Connection, wanted: ReadonlySet<Shard>): Map<Shard, string> => {
  const tags = new Map<Shard, string>()
  for (let draws = 0; tags.size < wanted.size && draws < MOST_DRAWS; draws++) {
    const tag = randomBytes(9).toString('base64url')
    const shard = shardOf(connection, `{${tag}}`)
    if (shard !== undefined && wanted.has(shard) && !tags.has(shard)) tags.set(shard, tag)
  }
  return tags
}
