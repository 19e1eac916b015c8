import { setTimeout as delay } from 'node:timers/promises'
import { Cluster, type Redis } from 'ioredis'

/** Where a server listens. */
export interface Place {
  host: string
  port: number
}

const SLOTS = 16_384
/** Members that are asked, for one of them may be the one that has gone. */
const TRIES = 3
/** Until the next is asked as well. */
const NEXT_MS = 300

export const keyOf = ({ host, port }: Place): string => `${host}:${port}`

/** Which master of a Redis Cluster has which slot, as one of its members says. */
export class Topology {
  readonly places: Place[] = []
  /** By slot, the master's number in `places` and one more; 0 where nobody has it. */
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
    // Who does not know its own name has the one by which it was reached.
    const name = host || member.options.host
    if (name) topology.give(first, last, { host: name, port })
  }
  return topology
}

/**
 * Asks that member; or of the masters that the connection to the cluster knows one after the other, each
 * without waiting long for the one before: it may be the one that has gone, or stands still.
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

/** Where a `MOVED` sends us, or undefined for another error. */
export const movedTo = (error: unknown, from: Redis): { slot: number; place: Place } | undefined => {
  const [, slot, host, port] = (error instanceof Error && /^MOVED (\d+) (.*):(\d+)$/.exec(error.message)) || []
  if (slot === undefined || Number(slot) >= SLOTS) return undefined
  return { slot: Number(slot), place: { host: host || (from.options.host ?? ''), port: Number(port) } }
}
