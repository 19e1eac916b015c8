import { table } from '../table.ts'
import { type FanoutFigure, openSide, paceNames, paces, ROUNDS, run, type Side, summarise } from './fanout.ts'
import { median } from './numbers.ts'
import { startSaoma } from './saoma.ts'

export interface SpreadOptions {
  /** Clients in the room, over all nodes. */
  subscribers: number
  /** Messages of one round. */
  messages: number
  /** Called with each progress message. */
  onProgress: (sentence: string) => void
}

/** The same room on so many nodes. */
export interface SpreadSide {
  nodes: number
  steady: FanoutFigure
  bursts: FanoutFigure
}

export interface SpreadResult {
  subscribers: number
  messages: number
  sides: SpreadSide[]
}

/** Sizes of the clusters. The readers of the room are spread over all nodes of each. */
const SIZES = [2, 16] as const

/** What a delivery costs when the readers of one room are on many nodes, beside the same readers on two. */
export const benchSpread = async ({ subscribers, messages, onProgress }: SpreadOptions): Promise<SpreadResult> => {
  const sides: Side[] = []
  for (const size of SIZES) {
    onProgress(`spread: ${subscribers} subscribers to ${size} nodes`)
    sides.push(await openSide(`${size}`, await startSaoma(size), 'follow', Math.ceil(subscribers / size)))
  }
  onProgress('spread: warming up')
  for (const side of sides) for (const pace of paceNames) await run(side, messages, pace, subscribers)
  for (let round = 0; round < ROUNDS; round++) {
    onProgress(`spread: round ${round + 1} of ${ROUNDS}`)
    for (const side of round % 2 === 0 ? sides : sides.toReversed())
      for (const pace of paceNames) side.costs[pace].push(await run(side, messages, pace, subscribers))
  }
  for (const { audience, system } of sides) {
    await audience.stop()
    await system.stop()
  }
  const figures = sides.map(({ costs }, i) => ({
    nodes: SIZES[i] ?? Number.NaN,
    steady: summarise(costs.steady),
    bursts: summarise(costs.bursts),
  }))
  return { subscribers, messages, sides: figures }
}

export const spreadReport = ({ subscribers, messages, sides }: SpreadResult): string => {
  const [fewest] = sides
  const us = (value: number) => value.toFixed(2)
  const rows = paceNames.flatMap((pace) =>
    sides.map((side) => {
      const { nodes, redis, all, rounds } = side[pace]
      const ratio = median(rounds.map((round, i) => round / (fewest?.[pace].rounds[i] ?? Number.NaN)))
      return [
        `${pace}: ${side.nodes} nodes`,
        us(nodes),
        us(redis),
        us(all),
        side === fewest ? '' : `${ratio.toFixed(2)}x`,
        rounds.map(us).join(' '),
      ]
    }),
  )
  return [
    `CPU microseconds per delivery of a message to a room of ${subscribers} WebSocket clients, spread over nodes`,
    '',
    table(['', 'nodes', 'redis', 'in all', 'ratio', 'rounds'], rows),
    '',
    `"steady" is a message every ${paces.steady.everyMs} ms, "bursts" ${paces.bursts.burst} at once every ${paces.bursts.everyMs} ms. Median of ${ROUNDS} rounds; "ratio" is the row / that of ${fewest?.nodes} nodes, round by round.`,
    `${messages * paceNames.length * (ROUNDS + 1) * subscribers} deliveries on each: each message came to each client once and in order.`,
  ].join('\n')
}
