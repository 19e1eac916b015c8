import { setTimeout as delay } from 'node:timers/promises'
import { table } from '../table.ts'
import { type Audience, openAudience } from './audience.ts'
import type { System } from './cluster-under-test.ts'
import { costOf } from './cpu.ts'
import type { Opening } from './crowd.ts'
import { ROOM } from './dialogues.ts'
import { findNchan, NCHAN_ABSENT, startNchan } from './nchan.ts'
import { median, sum } from './numbers.ts'
import { startSaoma } from './saoma.ts'
import { startStock } from './stock.ts'

export interface FanoutOptions {
  /** Clients in the room on each node. */
  readers: number
  /** Messages of one round. */
  messages: number
  /** Called with each progress message. */
  onProgress: (sentence: string) => void
}

/** How messages are spread over time. The rate per second is always the same. */
export const paces = {
  /** One after the other. */
  steady: { burst: 1, everyMs: 40 },
  /** Many at the same moment, then a pause. */
  bursts: { burst: 20, everyMs: 800 },
} as const

type PaceName = keyof typeof paces
export const paceNames = ['steady', 'bursts'] as const satisfies PaceName[]

/** CPU microseconds per delivery: the median of the rounds. */
export interface FanoutFigure {
  nodes: number
  redis: number
  /** Nodes and Redis in each round. */
  rounds: number[]
  all: number
}

export interface FanoutSide {
  name: string
  steady: FanoutFigure
  bursts: FanoutFigure
  /** What idle nodes and Redis use in the time of one steady delivery. Part of the figures. */
  idle: number
}

export interface FanoutResult {
  /** Clients in the room, over both nodes. */
  subscribers: number
  messages: number
  sides: FanoutSide[]
  /** Why another server is missing from the comparison. */
  absent: string[]
}

export interface Side {
  name: string
  system: System
  audience: Audience
  /** Number of the newest message. */
  last: number
  costs: Record<PaceName, { nodes: number; redis: number }[]>
}

const NODES = 2
export const ROUNDS = 3
const RECEIVE_TIMEOUT_MS = 15_000
/** Time for work that a server may still do after the last client has its message. */
const SETTLE_MS = 50
const IDLE_MS = 5_000
const PADDING = 'x'.repeat(80)

export const openSide = async (
  name: string,
  system: System,
  dialogue: Opening['dialogue'],
  readers: number,
): Promise<Side> => ({
  name,
  system,
  audience: await openAudience(system.urls, dialogue, readers),
  last: 0,
  costs: { steady: [], bursts: [] },
})

/** About a hundred bytes. */
const dataOf = (n: number) => ({ n, text: PADDING })

/** A late burst does not hurry the next one: catching up would merge separate messages into a burst. */
const publishAll = async (side: Side, count: number, { burst, everyMs }: (typeof paces)[PaceName]): Promise<void> => {
  for (let left = count; left > 0; left -= burst) {
    const next = delay(everyMs)
    const numbers = Array.from({ length: Math.min(burst, left) }, () => ++side.last)
    await Promise.all(numbers.map((n) => side.system.publish(ROOM, dataOf(n))))
    await next
  }
}

/** One round: CPU microseconds per delivery. */
export const run = async (side: Side, messages: number, pace: PaceName, subscribers: number) => {
  const { nodes, redis } = side.system
  const timeoutMs = RECEIVE_TIMEOUT_MS + (messages / paces[pace].burst) * paces[pace].everyMs * 2
  const costs = await costOf([...nodes, ...redis], async () => {
    await Promise.all([
      side.audience.received(side.last + messages, timeoutMs),
      publishAll(side, messages, paces[pace]),
    ])
    await delay(SETTLE_MS)
  })
  const deliveries = messages * subscribers
  const inNodes = sum(costs.slice(0, nodes.length))
  return { nodes: inNodes / deliveries, redis: (sum(costs) - inNodes) / deliveries }
}

export const summarise = (costs: Side['costs'][PaceName]): FanoutFigure => {
  const rounds = costs.map(({ nodes, redis }) => nodes + redis)
  return {
    nodes: median(costs.map(({ nodes }) => nodes)),
    redis: median(costs.map(({ redis }) => redis)),
    rounds,
    all: median(rounds),
  }
}

/** CPU cost of a message to a full room. Measures ours and others in the same run. */
export const benchFanout = async ({ readers, messages, onProgress }: FanoutOptions): Promise<FanoutResult> => {
  const subscribers = NODES * readers
  const sides: Side[] = []
  const absent: string[] = []
  onProgress(`fanout: ${subscribers} subscribers to each side`)
  sides.push(await openSide('ours', await startSaoma(NODES), 'follow', readers))
  sides.push(await openSide('stock Socket.IO', await startStock(NODES), 'enter', readers))
  const module = await findNchan()
  if (module) sides.push(await openSide('Nchan', await startNchan(module), 'subscribe', readers))
  else absent.push(NCHAN_ABSENT)

  onProgress('fanout: warming up')
  for (const side of sides) for (const pace of paceNames) await run(side, messages, pace, subscribers)
  for (let round = 0; round < ROUNDS; round++) {
    onProgress(`fanout: round ${round + 1} of ${ROUNDS}`)
    // Each side begins one of the rounds.
    const turn = [...sides.slice(round % sides.length), ...sides.slice(0, round % sides.length)]
    for (const side of turn)
      for (const pace of paceNames) side.costs[pace].push(await run(side, messages, pace, subscribers))
  }
  const steadyDeliveries = (IDLE_MS / paces.steady.everyMs) * subscribers
  const idle = await Promise.all(
    sides.map(async ({ system }) => sum(await costOf([...system.nodes, ...system.redis], () => delay(IDLE_MS)))),
  )
  for (const { audience, system } of sides) {
    await audience.stop()
    await system.stop()
  }
  return {
    subscribers,
    messages,
    sides: sides.map(({ name, costs }, i) => ({
      name,
      steady: summarise(costs.steady),
      bursts: summarise(costs.bursts),
      idle: (idle[i] ?? 0) / steadyDeliveries,
    })),
    absent,
  }
}

export const fanoutReport = ({ subscribers, messages, sides, absent }: FanoutResult): string => {
  const [ours] = sides
  const us = (value: number) => value.toFixed(2)
  const rows = paceNames.flatMap((pace) =>
    sides.map((side) => {
      const { nodes, redis, all, rounds } = side[pace]
      // Per round, because the sides of one round ran one after another.
      const ratio = median(rounds.map((round, i) => round / (ours?.[pace].rounds[i] ?? Number.NaN)))
      return [
        `${pace}: ${side.name}`,
        us(nodes),
        us(redis),
        us(all),
        Math.round(1e6 / all).toString(),
        side === ours ? '' : `${ratio.toFixed(2)}x`,
        us(side.idle),
        rounds.map(us).join(' '),
      ]
    }),
  )
  const { steady, bursts } = paces
  return [
    `CPU microseconds per delivery of a message to a room of ${subscribers} WebSocket clients on ${NODES} nodes`,
    '',
    table(['', 'nodes', 'redis', 'in all', 'a CPU-second', 'ratio', 'idle', 'rounds'], rows),
    '',
    `"steady" is a message every ${steady.everyMs} ms, "bursts" ${bursts.burst} at once every ${bursts.everyMs} ms. Median of ${ROUNDS} rounds; "ratio" is the row / ours, round by round.`,
    '"a CPU-second" is how many deliveries one second of CPU is good for. "idle" is what the same processes use in the time of one steady delivery when nothing is published; nothing is subtracted.',
    `${messages * paceNames.length * (ROUNDS + 1) * subscribers} deliveries to each side: each message came to each client once and in order.`,
    ...absent,
  ].join('\n')
}
