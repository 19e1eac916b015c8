import type { Cluster, Redis } from 'ioredis'

/** Where a server listens. */
export interface Place {
  host: string
  port: number
}

const SLOTS = 16_384
/** One of the members that are asked may be the one that has gone. */
const TRIES = 3

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

/** Asks that member, or any of the masters that the connection to the cluster knows. */
export const readTopology = async (member: Redis | Cluster): Promise<Topology> => {
  for (let tries = 1; ; tries++) {
    try {
      const ranges = (await member.call('CLUSTER', 'SLOTS')) as Range[]
      const topology = new Topology()
      for (const [first, last, [host, port]] of ranges) {
        // Who does not know its own name has the one by which it was reached.
        const name = host || ('host' in member.options ? member.options.host : undefined)
        if (name) topology.give(first, last, { host: name, port })
      }
      return topology
    } catch (error) {
      if (!member.isCluster || tries === TRIES) throw error
    }
  }
}

/** Where a `MOVED` sends us, or undefined for another error. */
export const movedTo = (error: unknown, from: Redis): { slot: number; place: Place } | undefined => {
  const [, slot, host, port] = (error instanceof Error && /^MOVED (\d+) (.*):(\d+)$/.exec(error.message)) || []
  if (slot === undefined || Number(slot) >= SLOTS) return undefined
  return { slot: Number(slot), place: { host: host || (from.options.host ?? ''), port: Number(port) } }
}
