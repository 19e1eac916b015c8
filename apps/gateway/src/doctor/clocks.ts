import { clockOf, mastersOf, orUnavailable, whereOf } from '@saoma/redis'
import { type Check, type Find, stepwise } from './check.ts'
import type { Finding } from './finding.ts'
import { error, needsSettings, ok, skipped, time, warning } from './findings.ts'
import { type BothRedis, liveNodes, withBoth } from './live-nodes.ts'
import { redisOf, whyAway } from './open-redis.ts'

/** The quickest of so many round trips tells most exactly. */
const LOOKS = 5
const APART_MS = 500
const BROKEN_MS = 5_000

type Master = ReturnType<typeof mastersOf>[number]

/** Another clock, compared with that of this machine. */
interface Reading {
  /** Milliseconds that it is ahead. */
  aheadMs: number
  tripMs: number
}

/** Reads a clock. The moment of the reading is taken to be half-way between request and reply. */
const readOnce = async (read: () => Promise<number>): Promise<Reading> => {
  const before = performance.now()
  const clock = await read()
  const tripMs = performance.now() - before
  return { aheadMs: clock - (Date.now() - tripMs / 2), tripMs }
}

const timeOf = async (master: Master): Promise<number> => {
  const [seconds, microseconds] = await orUnavailable(master.time())
  return Number(seconds) * 1_000 + Number(microseconds) / 1_000
}

const readRedis = async (master: Master): Promise<Reading> => {
  const readings: Reading[] = []
  for (let look = 0; look < LOOKS; look++) readings.push(await readOnce(() => timeOf(master)))
  return readings.reduce((best, one) => (one.tripMs < best.tripMs ? one : best))
}

const direction = (ms: number): string => `${time(Math.abs(ms))} ${ms < 0 ? 'behind' : 'ahead of'}`

const judgeRedis = (where: string, { aheadMs }: Reading): Finding => {
  const says = `The clock of Redis at ${where} is ${direction(aheadMs)} that of this machine`
  const size = Math.abs(aheadMs)
  const todo = 'Synchronise both machines (NTP: chronyc tracking, or timedatectl).'
  if (size > BROKEN_MS)
    return error(
      'clock-redis',
      `${says}: nodes say by their clock when a session ends, and Redis ends it by its own, so it ends that much too early or too late.`,
      todo,
    )
  if (size > APART_MS)
    return warning('clock-redis', `${says}: the times in a token (iat by a node, auth_time by Redis) do not fit.`, todo)
  return ok('clock-redis', `${says}.`)
}

const judgeNode = (nodeId: string, aheadMs: number): Finding => {
  // What a node says comes to Redis later, much later if Redis was slow at that moment.
  const orSlow = aheadMs < -APART_MS ? ', or Redis was slow when the node wrote it down' : ''
  const says = `The clock of node ${nodeId} is ${direction(aheadMs)} that of Redis${orSlow}`
  const size = Math.abs(aheadMs)
  const todo = `Synchronise the machine of node ${nodeId} (NTP: chronyc tracking, or timedatectl).`
  if (size > BROKEN_MS)
    return error(
      'clock-node',
      `${says}: other nodes and backends may take its tokens for ended, or for not yet good.`,
      todo,
    )
  if (size > APART_MS) return warning('clock-node', `${says}: it drifts, or is not synchronised.`, todo)
  return ok('clock-node', `${says}.`)
}

/** When all others agree, it is this machine that is wrong. */
const judgeThisMachine = (where: string, { aheadMs }: Reading): Finding =>
  warning(
    'clock-redis',
    `The clock of this machine is ${direction(-aheadMs)} that of Redis at ${where}, with which all nodes agree.`,
    'Synchronise this machine (NTP: chronyc tracking, or timedatectl). The cluster is well.',
  )

interface NodeClock {
  nodeId: string
  /** Milliseconds ahead of Redis; undefined if the node has not written it down. */
  aheadMs: number | undefined
}

const readNodes = async (both: BothRedis, redisAheadMs: number): Promise<NodeClock[]> => {
  const clocks: NodeClock[] = []
  for (const nodeId of await liveNodes(both)) {
    let isKnown = false
    const { aheadMs } = await readOnce(async () => {
      const clock = await clockOf(both.logins, nodeId)
      isKnown = clock !== undefined
      return clock ? clock.said + clock.agoMs : 0
    })
    clocks.push({ nodeId, aheadMs: isKnown ? aheadMs - redisAheadMs : undefined })
  }
  return clocks
}

interface RedisClock {
  where: string
  reading: Reading
}

const isOff = (ms: number): boolean => Math.abs(ms) > APART_MS

const compare = async (both: BothRedis, signal: AbortSignal, find: Find): Promise<void> => {
  const { logins, channels } = both
  const clocks: RedisClock[] = []
  const ahead: number[] = []
  for (const redis of logins === channels ? [logins] : [logins, channels])
    for (const master of mastersOf(redis.data)) {
      signal.throwIfAborted()
      const reading = await readRedis(master)
      if (redis === logins) ahead.push(reading.aheadMs)
      clocks.push({ where: whereOf(master), reading })
    }
  // With several masters the middle one stands for Redis.
  const ofRedis = ahead.sort((a, b) => a - b)[Math.floor(ahead.length / 2)] ?? 0
  let nodes: readonly NodeClock[] = []
  try {
    nodes = await readNodes(both, ofRedis)
  } finally {
    const known = nodes.flatMap(({ aheadMs }) => aheadMs ?? [])
    const doAllAgree =
      known.length > 0 && !known.some(isOff) && !clocks.some(({ reading }) => isOff(reading.aheadMs - ofRedis))
    for (const { where, reading } of clocks)
      find(doAllAgree && isOff(reading.aheadMs) ? judgeThisMachine(where, reading) : judgeRedis(where, reading))
  }
  for (const { nodeId, aheadMs } of nodes)
    find(
      aheadMs === undefined
        ? skipped(
            'clock-node',
            `Node ${nodeId} has not written down what its clock says.`,
            'A node does it a second after its start; nodes of a version before 0.2 do not.',
          )
        : judgeNode(nodeId, aheadMs),
    )
}

/** Compares the clocks of every Redis and every living node. */
export const clocksCheck: Check = stepwise('clocks', async ({ config, signal }, find) => {
  if (!config) return find(...needsSettings('Clocks were'))
  try {
    await withBoth(config, signal, (both) => compare(both, signal, find))
  } catch (failure) {
    const [{ name, url } = { name: '', url: config.redisUrl }] = redisOf(config)
    if (whyAway(failure, name, url) === undefined) throw failure
    find(skipped('clock-redis', 'Clocks were not compared: Redis does not answer.', 'See the check of Redis.'))
  }
})
