import { randomBytes } from 'node:crypto'
import { hostname } from 'node:os'
import { setTimeout as delay } from 'node:timers/promises'
import { orUnavailable } from './connection.ts'
import { every } from './every.ts'
import { hold } from './hold.ts'
import { CLUSTER_VERSION, VERSION_BESIDE } from './keys.ts'
import type { RedisClients } from './redis.ts'
import { script } from './script.ts'

export interface MembershipOptions {
  nodeId: string
  /** Nodes of two versions cannot work together. @default CLUSTER_VERSION */
  version?: number
  /** The other version whose nodes may run as well. @default VERSION_BESIDE */
  beside?: number
  /** Version of the node's program. It is written down for people who compare nodes. @default unknown */
  release?: string
  /** Time without a sign of that version, after which its nodes count as gone. @default 30 seconds */
  settleMs?: number
  /**
   * Called with the other process when it uses our name after all. This can happen after an outage of Redis.
   */
  onConflict: (other: string) => void
}

/** A node's place in the cluster, kept until `close`. */
export interface Membership {
  /**
   * The version that all running nodes understand: that of the nodes beside ours, and our own when the last
   * of them has been gone for a minute.
   */
  version(): number
  /** Releases the name. */
  close(): Promise<void>
}

/** The cluster does not admit this node. An operator can fix it; the message says how. */
export class NotAdmitted extends Error {
  override readonly name = 'NotAdmitted'
  readonly code = 'NOT_ADMITTED'
}

/**
 * The process behind a name. Nodes of former builds read `host` and `pid`, compare the whole text, and ignore
 * what they do not know.
 */
export interface Holder {
  run: string
  host: string
  pid: number
  /** Version of its program. Former builds do not write it. */
  release?: string
}

const BEAT_MS = 1_000
/** A name without beats is free after this time. */
const NAME_MS = 5_000
/** Beats between two readings of the node's clock that are written down, and how long one is kept. */
const BEATS_A_READING = 5
export const READING_MS = 3 * BEATS_A_READING * BEAT_MS
/** A reading that took longer to be stored was old by then, so the next beat has another one. */
const READING_TRIP_MS = 250
/** Longer than an operator needs to replace nodes of another version one by one. */
const VERSION_MS = 30_000
const LOOK_MS = 200
/** After this many looks the name is free, or was seen to be in use. */
const LOOKS = (2 * NAME_MS) / LOOK_MS

const deleteIf = script<[key: string], [value: string], number>('delete-if', 1, Number)

const keepVersion = script<[key: string], [version: number, ms: number], string | null>(
  'version',
  1,
  (raw) => (raw === null ? null : String(raw)),
  { allowOom: true },
)

/** Whether the holder is an ended process of this machine. Then a killed node can restart at once. */
const hasEnded = ({ host, pid }: Holder): boolean => {
  if (host !== hostname() || pid === process.pid) return false
  try {
    process.kill(pid, 0)
    return false
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ESRCH'
  }
}

const nameOf = (text: string): string => {
  const { host, pid } = JSON.parse(text) as Holder
  return `process ${pid} on ${host}`
}

/**
 * Takes a place in the cluster and renews it by heartbeats. Rejects with NotAdmitted in two cases: nodes of a
 * version are running that ours cannot run beside, or another live node has this name. nginx would route
 * browsers to either of the two.
 */
export const joinCluster = async (redis: RedisClients, options: MembershipOptions): Promise<Membership> => {
  const {
    nodeId,
    version = CLUSTER_VERSION,
    beside = VERSION_BESIDE,
    release,
    settleMs = VERSION_MS,
    onConflict,
  } = options
  const { data, keys } = redis
  const key = keys.nodeName(nodeId)
  const mine = JSON.stringify({
    run: randomBytes(9).toString('base64url'),
    host: hostname(),
    pid: process.pid,
    ...(release === undefined ? {} : { release }),
  } satisfies Holder)

  const present = await keepVersion(data, [keys.clusterVersion()], [version, VERSION_MS])
  if (present !== null && present !== `${version}` && present !== `${beside}`)
    throw new NotAdmitted(
      `The nodes in this Redis are of version ${present}, this one is of version ${version}, and the two versions cannot work together. Stop them, wait ${VERSION_MS / 1000} s and start this one, or give it a SAOMA_REDIS_PREFIX of its own.`,
    )

  const takeName = async (): Promise<void> => {
    let holder: string | null = null
    let leftMs = 0
    for (let look = 0; look < LOOKS; look++) {
      const former: string | null = holder
      holder = await orUnavailable(data.set(key, mine, 'PX', NAME_MS, 'NX', 'GET'))
      if (holder === null) return
      if (hasEnded(JSON.parse(holder))) {
        await deleteIf(data, [key], [holder])
        continue
      }
      const formerLeftMs = leftMs
      leftMs = await orUnavailable(data.pttl(key))
      // Its TTL has grown, so the holder is alive.
      if (former === holder && leftMs > formerLeftMs) break
      await delay(LOOK_MS)
    }
    const other = holder === null ? 'somebody' : nameOf(holder)
    throw new NotAdmitted(
      `Another node runs as "${nodeId}" (${other}). Each needs a SAOMA_NODE_ID of its own, or none at all.`,
    )
  }
  await takeName()

  let understood = beside
  /**
   * When there was last a doubt: no version, or another one, was seen, or nothing for a while. After an
   * outage the nodes of another version may not have come back yet.
   */
  let unsureAt = performance.now()
  let seenAt = unsureAt
  let beats = 0
  let isReadingGood = false
  const beat = async () => {
    const isReading = beats++ % BEATS_A_READING === 0 || !isReadingGood
    if (isReading) isReadingGood = false
    const sentAt = performance.now()
    const [holder, standing] = await Promise.all([
      hold(data, [key], [mine, NAME_MS]),
      keepVersion(data, [keys.clusterVersion()], [version, VERSION_MS]),
      ...(isReading ? [hold(data, [keys.nodeClock(nodeId)], [Date.now(), READING_MS])] : []),
    ])
    const now = performance.now()
    if (isReading) isReadingGood = now - sentAt < READING_TRIP_MS
    if (standing !== `${version}` || now - seenAt > NAME_MS) unsureAt = now
    seenAt = now
    if (standing === `${beside}`) understood = beside
    else if (now - unsureAt > settleMs) understood = version
    if (holder !== null && holder !== mine) onConflict(nameOf(holder))
  }
  let beating: Promise<void> | undefined
  const stop = every(BEAT_MS, () => {
    // The connections report an unavailable Redis.
    beating ??= beat()
      .catch(() => {})
      .finally(() => {
        beating = undefined
      })
  })

  return {
    version: () => understood,
    close: async () => {
      stop()
      await beating
      await Promise.all([deleteIf(data, [key], [mine]), data.del(keys.nodeClock(nodeId))]).catch(() => {})
    },
  }
}
