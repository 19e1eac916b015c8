import { setTimeout as delay } from 'node:timers/promises'
import { type Connection, connect, whenReady } from '@saoma/redis'
import { until } from './metrics.ts'
import type { RedisServer } from './redis.ts'

/** A member of a Redis Cluster. */
export interface Member {
  server: RedisServer
  busPort: number
}

/** What an operator does to a Redis Cluster while it is in use. Members are named by their ports. */
export interface RedisTopology {
  /** The masters by port, each with its slots in ascending order; a master that is new has none. */
  masters(): Promise<Map<number, number[]>>
  /** The port of the master that has a slot. Throws while nobody has it. */
  ownerOf(slot: number): Promise<number>
  /**
   * Gives slots to a master, keys and all, each of them as `redis-cli --cluster reshard` does.
   *
   * @param stepMs  between two steps of a slot, as if whoever moves it were far away; and its keys go in
   *   several steps. @default 0
   */
  moveSlots(slots: readonly number[], to: number, stepMs?: number): Promise<void>
  /** Starts one more master. It has no slots until some are moved to it. */
  addMaster(): Promise<RedisServer>
  /** Shares a master's slots out over the other ones, has all of them forget it, and ends it. */
  removeMaster(port: number): Promise<void>
  /**
   * Has a replica take over from its master, orderly, and resolves with the new master's port when all
   * members know.
   */
  failOver(port: number): Promise<number>
}

interface Described {
  id: string
  port: number
  isMaster: boolean
  masterId: string
  slots: number[]
}

const READY_TIMEOUT_MS = 5_000
const MIGRATE_TIMEOUT_MS = 5_000
/** Longer than Redis tries to. */
const FAILOVER_TIMEOUT_MS = 10_000
const KEYS_AT_ONCE = 100
/** As many as redis-cli moves with one command. */
const KEYS_A_STEP = 10
/** A member writes its configuration down once for all that came together. */
const SLOTS_AT_ONCE = 256
/**
 * Whoever stood still during an election has missed it. The next one comes after four times the node timeout,
 * and a vote that was given late forbids that one too. The third comes within 30 s.
 */
const ELECTED_TIMEOUT_MS = 45_000

/** Resolves when a replica has been elected in place of its master, which has failed. */
export const elected = async (replica: RedisServer): Promise<void> =>
  void (await replica.nextLine(({ text }) => text.includes('Failover election won'), ELECTED_TIMEOUT_MS))

export const open = async (server: RedisServer): Promise<Connection> => {
  const connection = connect({ ...server.operator, name: 'saoma-testing', onError: () => {} })
  await whenReady(connection, READY_TIMEOUT_MS)
  return connection
}

const slotsOf = (ranges: string[]): number[] =>
  ranges
    // In brackets are those that are being moved.
    .filter((range) => !range.startsWith('['))
    .flatMap((range) => {
      const [first = 0, last = first] = range.split('-').map(Number)
      return Array.from({ length: last - first + 1 }, (_, i) => first + i)
    })

/** One member's view of the cluster, without those that have failed. */
const describe = async (member: Connection): Promise<Described[]> =>
  String(await member.call('CLUSTER', 'NODES'))
    .trim()
    .split('\n')
    .map((line) => line.split(' '))
    .filter(([, , flags = '']) => !/fail|handshake|noaddr/.test(flags))
    .map(([id = '', address = '', flags = '', masterId = '', , , , , ...ranges]) => ({
      id,
      port: Number(/:(\d+)@/.exec(address)?.[1]),
      isMaster: flags.includes('master'),
      masterId,
      slots: slotsOf(ranges),
    }))

/**
 * The other masters let only one take over from the same master within twice the node timeout, and refuse
 * without a word.
 */
const takeOver = async (server: RedisServer | undefined, replica: Connection | undefined): Promise<void> => {
  if (!server || !replica) throw new Error('the replica does not run')
  await until(
    async () => String(await replica.call('INFO', 'replication')),
    (info) => info.includes('master_link_status:up'),
  )
  for (;;) {
    const outcome = server.nextLine(
      ({ text }) => /election won|Manual failover timed out/.test(text),
      FAILOVER_TIMEOUT_MS,
    )
    const asked = replica.call('CLUSTER', 'FAILOVER').catch((error: Error) => {
      // It has won in the moment in which it was given up.
      if (error.message.includes('to a replica')) return 'won'
      throw error
    })
    if ((await asked) === 'won') return void outcome.catch(() => {})
    if ((await outcome).text.includes('election won')) return
  }
}

/**
 * @param members  those of the cluster; who is added and removed here comes and goes in it
 * @param startMember  starts a Redis that is of no cluster yet
 */
export const createTopology = (members: Member[], startMember: () => Promise<Member>): RedisTopology => {
  /** A connection to each member that runs, for the time of one act. */
  const withAll = async <T>(act: (connections: Map<number, Connection>) => Promise<T>): Promise<T> => {
    const connections = new Map<number, Connection>()
    try {
      await Promise.all(
        members.map(async ({ server }) => {
          if (await hasEnded(server)) return
          connections.set(server.port, await open(server))
        }),
      )
      return await act(connections)
    } finally {
      for (const connection of connections.values()) connection.disconnect()
    }
  }
  const hasEnded = ({ exited }: RedisServer) => Promise.race([exited.then(() => true), Promise.resolve(false)])

  /** The masters as they say themselves, so that nobody's news is old. */
  const mastersBy = async (connections: Map<number, Connection>): Promise<Map<number, Described>> => {
    const masters = new Map<number, Described>()
    await Promise.all(
      [...connections].map(async ([port, connection]) => {
        const own = (await describe(connection)).find((member) => member.port === port)
        if (own?.isMaster) masters.set(port, own)
      }),
    )
    return masters
  }

  const everybodySees = (connections: Map<number, Connection>, isSo: (seen: Described[]) => boolean) =>
    until(
      () => Promise.all([...connections.values()].map(describe)),
      (views) => views.every(isSo),
    )

  const moveSlot = async (
    connections: Map<number, Connection>,
    masters: Map<number, Described>,
    slot: number,
    to: number,
    stepMs: number,
  ): Promise<void> => {
    const pause = () => (stepMs > 0 ? delay(stepMs) : undefined)
    const keysAtOnce = stepMs > 0 ? KEYS_A_STEP : KEYS_AT_ONCE
    const from = [...masters].find(([, { slots }]) => slots.includes(slot))?.[0]
    if (from === to) return
    const [source, target] = [connections.get(from ?? 0), connections.get(to)]
    const [sourceId, targetId] = [masters.get(from ?? 0)?.id, masters.get(to)?.id]
    if (!source || !target || !sourceId || !targetId) throw new Error(`slot ${slot} cannot go from ${from} to ${to}`)
    await target.call('CLUSTER', 'SETSLOT', slot, 'IMPORTING', sourceId)
    await pause()
    await source.call('CLUSTER', 'SETSLOT', slot, 'MIGRATING', targetId)
    await pause()
    for (;;) {
      const keys = (await source.call('CLUSTER', 'GETKEYSINSLOT', slot, keysAtOnce)) as string[]
      if (keys.length === 0) break
      await source.call('MIGRATE', '127.0.0.1', to, '', 0, MIGRATE_TIMEOUT_MS, 'KEYS', ...keys)
      await pause()
    }
    // The new owner first: were it the old one, the slot would be nobody's if all broke off here.
    await target.call('CLUSTER', 'SETSLOT', slot, 'NODE', targetId)
    // And the others by and by: until then they send whoever asks them to the old one.
    for (const [port, connection] of connections) {
      if (port === to || !masters.has(port)) continue
      await pause()
      await connection.call('CLUSTER', 'SETSLOT', slot, 'NODE', targetId).catch((error: Error) => {
        // Whoever has given its last slot away becomes a replica of the one that has it.
        if (!error.message.includes('only with masters')) throw error
      })
    }
  }

  const moveAll = async (
    connections: Map<number, Connection>,
    masters: Map<number, Described>,
    slots: readonly number[],
    toOf: (i: number) => number,
    stepMs = 0,
  ) => {
    for (let first = 0; first < slots.length; first += SLOTS_AT_ONCE)
      await Promise.all(
        slots
          .slice(first, first + SLOTS_AT_ONCE)
          .map((slot, i) => moveSlot(connections, masters, slot, toOf(first + i), stepMs)),
      )
  }

  const masters = () =>
    withAll(async (connections) => {
      const found = await mastersBy(connections)
      return new Map([...found].map(([port, { slots }]) => [port, slots]))
    })

  return {
    masters,

    moveSlots: (slots, to, stepMs) =>
      withAll(async (connections) => moveAll(connections, await mastersBy(connections), slots, () => to, stepMs)),

    ownerOf: async (slot) => {
      for (const [port, slots] of await masters()) if (slots.includes(slot)) return port
      throw new Error(`nobody has slot ${slot}`)
    },

    addMaster: async () => {
      const added = await startMember()
      const [known] = members
      members.push(added)
      await withAll(async (connections) => {
        await connections
          .get(added.server.port)
          ?.call('CLUSTER', 'MEET', '127.0.0.1', `${known?.server.port}`, `${known?.busPort}`)
        await everybodySees(connections, (seen) =>
          members.every(({ server }) => seen.some((m) => m.port === server.port)),
        )
        // It refuses for a while after it has joined.
        await until(
          async () => String(await connections.get(added.server.port)?.call('CLUSTER', 'INFO')),
          (info) => info.includes('cluster_state:ok'),
        )
      })
      return added.server
    },

    removeMaster: async (port) => {
      await withAll(async (connections) => {
        const all = await mastersBy(connections)
        const others = [...all.keys()].filter((other) => other !== port)
        const leaving = all.get(port)
        if (!leaving || others.length === 0) throw new Error(`${port} is no master, or the last one`)
        await moveAll(connections, all, leaving.slots, (i) => Number(others[i % others.length]))
        for (const [other, connection] of connections)
          if (other !== port) await connection.call('CLUSTER', 'FORGET', leaving.id)
      })
      const [removed] = members.splice(
        members.findIndex(({ server }) => server.port === port),
        1,
      )
      await removed?.server.stop()
    },

    failOver: (port) =>
      withAll(async (connections) => {
        const its = (await mastersBy(connections)).get(port)
        const seen = (await Promise.all([...connections.values()].map(describe))).flat()
        const replica = seen.find(({ masterId }) => masterId === its?.id)
        if (!its || !replica) throw new Error(`${port} is no master with a replica`)
        await takeOver(
          members.find(({ server }) => server.port === replica.port)?.server,
          connections.get(replica.port),
        )
        await everybodySees(connections, (members) =>
          members.some((member) => member.port === replica.port && member.slots.length === its.slots.length),
        )
        return replica.port
      }),
  }
}
