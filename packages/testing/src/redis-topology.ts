import { setTimeout as delay } from 'node:timers/promises'
import { type Connection, connect, whenReady } from '@saoma/redis'
import { until } from './metrics.ts'
import type { RedisServer } from './redis.ts'

/** A member of a Redis Cluster. */
export interface Member {
  server: RedisServer
  busPort: number
}

/** Changes that an operator makes to a Redis Cluster in use. Ports identify the members. */
export interface RedisTopology {
  /** The masters by port, each with its slots in ascending order; a new master has none. */
  masters(): Promise<Map<number, number[]>>
  /** The port of the master of a slot. Throws while the slot has no master. */
  ownerOf(slot: number): Promise<number>
  /**
   * Moves slots with their keys to a master, as `redis-cli --cluster reshard` does.
   *
   * @param stepMs  pause between two steps of a slot, as if the operator were far away. With a pause the
   *   keys also move in several steps. @default 0
   */
  moveSlots(slots: readonly number[], to: number, stepMs?: number): Promise<void>
  /** Starts another master. It has no slots until some are moved to it. */
  addMaster(): Promise<RedisServer>
  /** Distributes a master's slots over the others, makes all members forget it, and stops it. */
  removeMaster(port: number): Promise<void>
  /**
   * Makes a replica take over from its master by a manual failover. Resolves with the new master's port when
   * all members know it.
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
/** Longer than Redis itself tries. */
const FAILOVER_TIMEOUT_MS = 10_000
const KEYS_AT_ONCE = 100
/** As many as redis-cli moves with one command. */
const KEYS_A_STEP = 10
/** A member saves its configuration once for all slots that change together. */
const SLOTS_AT_ONCE = 256
/** A member that hung has missed an election, and its late vote blocks the next. The third comes in 30 s. */
const ELECTED_TIMEOUT_MS = 45_000

/** Resolves when a replica has been elected in place of its failed master. */
export const elected = async (replica: RedisServer): Promise<void> =>
  void (await replica.nextLine(({ text }) => text.includes('Failover election won'), ELECTED_TIMEOUT_MS))

export const open = async (server: RedisServer): Promise<Connection> => {
  const connection = connect({ ...server.operator, name: 'saoma-testing', onError: () => {} })
  await whenReady(connection, READY_TIMEOUT_MS)
  return connection
}

const slotsOf = (ranges: string[]): number[] =>
  ranges
    // Slots in brackets are being moved.
    .filter((range) => !range.startsWith('['))
    .flatMap((range) => {
      const [first = 0, last = first] = range.split('-').map(Number)
      return Array.from({ length: last - first + 1 }, (_, i) => first + i)
    })

/** One member's view of the cluster, without failed members. */
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
 * Resolves when each member knows all others and their roles. A member ignores those that it does not know:
 * it would not vote for such a replica, however often the replica asks.
 *
 * @param masters  how many of the members are masters; they come first
 */
export const everybodyKnown = async (members: readonly Member[], masters: number): Promise<void> => {
  const connections = await Promise.all(members.map(({ server }) => open(server)))
  const isIn = (seen: Described[]) => (member: Member, i: number) =>
    seen.some(({ port, isMaster }) => port === member.server.port && isMaster === i < masters)
  try {
    await until(
      () => Promise.all(connections.map(describe)),
      (views) => views.every((seen) => members.every(isIn(seen))),
    )
  } finally {
    for (const connection of connections) connection.disconnect()
  }
}

/**
 * Within twice the node timeout, the other masters accept only one takeover from the same master. They refuse
 * a second one silently, so retry.
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
      // It had won at the moment at which it gave up.
      if (error.message.includes('to a replica')) return 'won'
      throw error
    })
    if ((await asked) === 'won') return void outcome.catch(() => {})
    if ((await outcome).text.includes('election won')) return
  }
}

/**
 * @param members  members of the cluster; this list changes when members are added or removed
 * @param startMember  starts a Redis that does not belong to a cluster yet
 */
export const createTopology = (members: Member[], startMember: () => Promise<Member>): RedisTopology => {
  /** Connects to each running member for the duration of one operation. */
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

  /** Each master's own description, because the news of others may be old. */
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
    // The new owner first: if the old one came first and the operation broke off here, the slot would have no
    // owner.
    await target.call('CLUSTER', 'SETSLOT', slot, 'NODE', targetId)
    // The others follow one by one. Until then they redirect to the old owner.
    for (const [port, connection] of connections) {
      if (port === to || !masters.has(port)) continue
      await pause()
      await connection.call('CLUSTER', 'SETSLOT', slot, 'NODE', targetId).catch((error: Error) => {
        // A master that has given away its last slot becomes a replica of the new owner.
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
      throw new Error(`slot ${slot} has no master`)
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
        // For a while after it has joined, the member refuses.
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
        if (!leaving || others.length === 0) throw new Error(`${port} is not a master, or is the last one`)
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
        if (!its || !replica) throw new Error(`${port} is not a master with a replica`)
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
