import { setTimeout as delay } from 'node:timers/promises'
import { Cluster, type Redis } from 'ioredis'

/** Where a server listens. */
export interface Place {
  host: string
  port: number
}

const SLOTS = 16_384
/** Members that are asked, because one of them may be gone. */
const TRIES = 3
/** Pause before the next member is asked as well. */
const NEXT_MS = 300

export const keyOf = ({ host, port }: Place): string => `${host}:${port}`

/** The master of each slot of a Redis Cluster, as one member reports it. */
export class Topology {
  readonly places: Place[] = []
  /** By slot: the master's index in `places` plus one; 0 if the slot has no master. */
  readonly #owners = new Uint16Array(SLOTS)

  ownerOf(slot: number): Place | undefined {
    return this.places[(this.#owners[slot] ?? 0) - 1]
  }

  give(first: number, last: number, place: Place): void {
    let number = this.places.findIndex((known) => keyOf(known) === keyOf(place)) + 1
    if (number === 0) number = this.places.push(place)
    this.#owners.fill(number, first, last + 1)
  }
}

type Range = [first: number, last: number, master: [host: string | null, port: number]]

const topologyFrom = async (member: Redis): Promise<Topology> => {
  const ranges = (await member.call('CLUSTER', 'SLOTS')) as Range[]
  const topology = new Topology()
  for (const [first, last, [host, port]] of ranges) {
    // A member that does not know its own name gets the one by which it was reached.
    const name = host || member.options.host
    if (name) topology.give(first, last, { host: name, port })
  }
  return topology
}

/**
 * Asks the given member. For a cluster connection it asks its known masters one after the other, without
 * waiting long for each, because a master may be gone or hang.
 */
export const readTopology = async (member: Redis | Cluster): Promise<Topology> => {
  if (!(member instanceof Cluster)) return topologyFrom(member)
  const over = new AbortController()
  try {
    const masters = member
      .nodes('master')
      .map((master) => ({ master, draw: Math.random() }))
      .sort((a, b) => a.draw - b.draw)
      .slice(0, TRIES)
    return await Promise.any(
      masters.map(async ({ master }, i) => {
        await delay(i * NEXT_MS, undefined, { signal: over.signal, ref: false })
        return topologyFrom(master)
      }),
    )
  } finally {
    over.abort()
  }
}

/** The target of a `MOVED`; undefined for any other error. */
export const movedTo = (error: unknown, from: Redis): { slot: number; place: Place } | undefined => {
  const [, slot, host, port] = (error instanceof Error && /^MOVED (\d+) (.*):(\d+)$/.exec(error.message)) || []
  if (slot === undefined || Number(slot) >= SLOTS) return undefined
  return { slot: Number(slot), place: { host: host || (from.options.host ?? ''), port: Number(port) } }
}
