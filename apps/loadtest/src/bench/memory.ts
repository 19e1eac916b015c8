import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { createRedis } from '@saoma/redis'
import { nodeFlags, onCleanup, plainEnv, startGateway, startProcess, startRedis } from '@saoma/testing'
import { createTickets } from '@saoma/tickets'
import { table } from '../table.ts'
import { startAuthority } from './authority.ts'
import { createCodes, createNames } from './codes.ts'
import { type Footprint, ORIGIN, takeFootprint } from './footprint.ts'
import { HEARTBEAT_MS } from './heartbeat.ts'
import { collectGarbage, INSPECTED, inspectorOf } from './inspector.ts'
import { sum } from './numbers.ts'
import { measureRecords, type RecordSize } from './record-sizes.ts'
import { redisInfo } from './redis-info.ts'
import { rssOf } from './rss.ts'

export interface MemoryOptions {
  sockets: number
  /** Called with each progress message. */
  onProgress: (sentence: string) => void
}

export interface MemoryResult {
  sockets: number
  gateway: Footprint
  /** The same browsers through Socket.IO. */
  socketIo: Footprint
  bare: Footprint
  /** People who follow their own channels. */
  follower: Footprint
  /** The bare server with the gateway's flags. */
  tuned: Footprint
  stock: Footprint
  /** KB of Redis memory for a new ticket, and for a node's subscription to the ticket's channel. */
  redis: { perTicket: number; perSubscription: number }
  /** What a code and a login leave in Redis. */
  records: RecordSize[]
}

/** No ticket may expire during a measurement, because notifying its browser takes memory for a moment. */
const SCAN_MS = 1_800_000
/** Time until the operating system has back what a collection freed. */
const RETURN_MS = 1_000

/** A real gateway with production settings, and an inspector, by which its garbage is collected. */
const openGateway = async (redisUrl: string, env: Record<string, string> = {}) => {
  const gateway = await startGateway({
    redisUrl,
    nodeId: 'bench',
    origin: ORIGIN,
    env: { SAOMA_LIMIT_HANDSHAKES: '1000000', NODE_OPTIONS: INSPECTED, ...env },
  })
  const inspector = inspectorOf(gateway.lines)
  const heap = async () => {
    const metrics = await (await fetch(`${gateway.internalOrigin}/metrics`)).text()
    return Number(/^nodejs_heap_size_used_bytes (\S+)$/m.exec(metrics)?.[1]) / 1024
  }
  const measure = async () => {
    await collectGarbage(inspector)
    await delay(RETURN_MS)
    return { rss: await rssOf(gateway.pid), heap: await heap() }
  }
  return { ...gateway, measure }
}

const measureGateway = async (
  redisUrl: string,
  count: number,
  dialogue: 'watch' | 'watchThroughSocketIo',
): Promise<Pick<MemoryResult, 'gateway' | 'redis'>> => {
  const redis = await createRedis({ url: redisUrl, name: 'bench' })
  const forget = onCleanup(() => redis.close())
  const usedMemory = async () => ((await redisInfo(redis.data, 'memory')).used_memory ?? 0) / 1024
  const { pid, origin: url, measure, stop } = await openGateway(redisUrl)

  const empty = await usedMemory()
  const names = await createCodes(createTickets(redis, { scanMs: SCAN_MS }), count)
  const stored = await usedMemory()
  let subscribed = stored
  const whileFull = async () => {
    subscribed = await usedMemory()
  }
  const footprint = await takeFootprint({ pid, url, dialogue, names, measure, whileFull })
  await stop()
  forget()
  await redis.close()
  return {
    gateway: footprint,
    redis: { perTicket: (stored - empty) / count, perSubscription: (subscribed - stored) / count },
  }
}

/** People with tokens of a business. What the node keeps of a token is part of what it keeps of a person. */
const measureFollowers = async (redisUrl: string, count: number): Promise<Footprint> => {
  const authority = await startAuthority()
  const { pid, origin: url, measure, stop } = await openGateway(redisUrl, { SAOMA_AUTH_URL: authority.url })
  const footprint = await takeFootprint({ pid, url, dialogue: 'followOwn', names: createNames(count), measure })
  await stop()
  authority.close()
  return footprint
}

/**
 * A process of idle-server.ts, with Node's default flags unless `flags` says otherwise. It collects its
 * garbage before each reading.
 */
const measureOther = async (
  kind: 'bare' | 'stock',
  redisUrl: string,
  count: number,
  flags: readonly string[] = [],
): Promise<Footprint> => {
  const server = await startProcess({
    name: `${kind} server`,
    command: process.execPath,
    args: [...flags, '--expose-gc', fileURLToPath(new URL('./idle-server.ts', import.meta.url)), kind, redisUrl],
    env: plainEnv(),
  })
  const { json } = await server.nextLine((line) => line.json?.event === 'listening')
  const footprint = await takeFootprint({
    pid: server.pid,
    url: `http://127.0.0.1:${json?.port}`,
    dialogue: kind === 'bare' ? 'silent' : 'join',
    names: createNames(count),
    measure: async () => {
      await server.kill('SIGUSR2')
      const collected = await server.nextLine((line) => line.json?.event === 'collected')
      await delay(RETURN_MS)
      return { rss: await rssOf(server.pid), heap: Number(collected.json?.heapUsed) / 1024 }
    },
  })
  await server.stop()
  return footprint
}

/**
 * Memory and CPU of a waiting browser on three servers: the gateway, a server that only holds its WebSocket,
 * and stock Socket.IO.
 */
export const benchMemory = async ({ sockets, onProgress }: MemoryOptions): Promise<MemoryResult> => {
  const server = await startRedis()
  onProgress(`gateway: ${sockets} browsers`)
  const ours = await measureGateway(server.url, sockets, 'watch')
  onProgress(`gateway, through Socket.IO: ${sockets} browsers`)
  const { gateway: socketIo } = await measureGateway(server.url, sockets, 'watchThroughSocketIo')
  onProgress(`gateway, following: ${sockets} people`)
  const follower = await measureFollowers(server.url, sockets)
  onProgress(`bare ws server: ${sockets} sockets`)
  const bare = await measureOther('bare', server.url, sockets)
  const tuned = await measureOther('bare', server.url, sockets, nodeFlags)
  onProgress(`stock Socket.IO: ${sockets} sockets`)
  const stock = await measureOther('stock', server.url, sockets)
  await server.stop()
  onProgress('records in Redis')
  const records = await measureRecords()
  return { sockets, ...ours, socketIo, follower, bare, tuned, stock, records }
}

export const memoryReport = (result: MemoryResult): string => {
  const { sockets, gateway, socketIo, follower, bare, tuned, stock, redis, records } = result
  const lasting = sum(records.filter(({ lasts }) => lasts).map(({ bytes }) => bytes))
  const mb = (kb: number) => (kb / 1024).toFixed(1)
  const ratio = (value: number, toBare: number) => `${(value / toBare).toFixed(2)}x`
  const row = (name: string, { empty, full, perSocket, cpu }: Footprint) => [
    name,
    mb(empty.rss),
    mb(full.rss),
    perSocket.rss.toFixed(1),
    perSocket.heap.toFixed(1),
    ratio(perSocket.rss, bare.perSocket.rss),
    cpu.connect.toFixed(0),
    ratio(cpu.connect, bare.cpu.connect),
    cpu.heartbeat.toFixed(0),
    ratio(cpu.heartbeat, bare.cpu.heartbeat),
  ]
  return [
    `Memory and CPU of one process that holds ${sockets} waiting sockets`,
    '',
    table(
      [
        '',
        'MB empty',
        'MB full',
        'KB per socket',
        'of it V8 heap',
        'to ws',
        'us to connect',
        'to ws',
        'us a heartbeat',
        'to ws',
      ],
      [
        row('gateway, watching', gateway),
        row('ws, nothing else', bare),
        row('ws, with the flags of the gateway', tuned),
        row('gateway, through Socket.IO', socketIo),
        row('gateway, following a channel', follower),
        row('Socket.IO, in a room', stock),
      ],
    ),
    '',
    `us: CPU of the process for each socket, until it is served, and in the ${HEARTBEAT_MS / 1_000} s from one heartbeat to the next.`,
    'MB and KB are resident memory; what the kernel keeps for a connection is not in it.',
    'The gateway runs with its production flags, the others with default flags unless it says otherwise. All are read after a full collection of garbage.',
    `A person who follows a channel takes ${ratio(follower.full.rss - follower.empty.rss, stock.full.rss - stock.empty.rss)} of the memory of a socket of stock Socket.IO in a room.`,
    `Redis: ${redis.perTicket.toFixed(2)} KB per ticket, ${redis.perSubscription.toFixed(2)} KB per subscription to one.`,
    '',
    table(
      ['in Redis', 'keys', 'bytes each'],
      records.map(({ kind, keys, bytes }) => [kind, `${keys}`, bytes.toFixed(0)]),
    ),
    '',
    `A session that lasts, which is its grant, its refresh token and its person's list: ${lasting.toFixed(0)} bytes by MEMORY USAGE.`,
  ].join('\n')
}
