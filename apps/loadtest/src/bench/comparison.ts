import { table } from '../table.ts'
import type { Cluster, Cost } from './cluster.ts'
import { median } from './numbers.ts'
import { PACE, paceMs } from './pace.ts'
import type { Kind } from './worker-commands.ts'

export interface ComparisonOptions {
  /** Sizes of the clusters. */
  nodes: readonly number[]
  /** Pushes of one round. */
  pushes: number
  /** Called with each progress message. */
  onProgress: (sentence: string) => void
}

/** CPU microseconds per push. Each figure is the median of the rounds. */
export interface Figures extends Cost {
  /** Sum over nodes and Redis. */
  all: number
  /** The same sum for each round, in order. It shows how much the machine varies. */
  rounds: number[]
  /** What idle nodes and Redis use in the time that one push takes. Part of `all`. */
  idle: number
}

export interface Comparison {
  nodes: number
  pushes: number
  ours: Figures
  stock: Figures
  /** stock / ours, for nodes and Redis: the median over pairs of consecutive rounds. */
  ratio: number
}

export const ROUNDS = 3

const summarise = (costs: readonly Cost[], idle: number): Figures => {
  const rounds = costs.map(({ nodes, redis }) => nodes + redis)
  const middle = (pick: (cost: Cost) => number) => median(costs.map(pick))
  return {
    sender: middle(({ sender }) => sender),
    receiver: middle(({ receiver }) => receiver),
    other: middle(({ other }) => other),
    nodes: middle(({ nodes }) => nodes),
    redis: middle(({ redis }) => redis),
    all: median(rounds),
    rounds,
    idle,
  }
}

type Start = (kind: Kind, size: number) => Promise<Cluster>

const compareAt = async (
  nodes: number,
  start: Start,
  { pushes, onProgress }: ComparisonOptions,
): Promise<Comparison> => {
  onProgress(`${nodes} nodes: starting`)
  const ours = await start('ours', nodes)
  const stock = await start('stock', nodes)
  const both: readonly Cluster[] = [ours, stock]

  onProgress(`${nodes} nodes: warming up`)
  for (const cluster of both) await cluster.run(pushes)
  const costs: Record<Kind, Cost[]> = { ours: [], stock: [] }
  for (let round = 0; round < ROUNDS; round++) {
    onProgress(`${nodes} nodes: round ${round + 1} of ${ROUNDS}`)
    for (const cluster of round % 2 === 0 ? both : both.toReversed())
      costs[cluster.kind].push(await cluster.run(pushes))
  }
  // Measured at the end, when V8 has nothing left to compile or to collect.
  const [oursIdle = 0, stockIdle = 0] = await Promise.all(both.map((cluster) => cluster.idle(paceMs(pushes))))
  await Promise.all(both.map((cluster) => cluster.stop()))

  const figures = {
    ours: summarise(costs.ours, oursIdle / pushes),
    stock: summarise(costs.stock, stockIdle / pushes),
  }
  const ratios = figures.stock.rounds.map((round, i) => round / (figures.ours.rounds[i] ?? Number.NaN))
  return { nodes, pushes, ...figures, ratio: median(ratios) }
}

/**
 * CPU cost of one push to a client of another node, for each cluster size. Measures ours and stock in the
 * same run.
 */
export const compare = async (start: Start, options: ComparisonOptions): Promise<Comparison[]> => {
  const results: Comparison[] = []
  for (const nodes of options.nodes) results.push(await compareAt(nodes, start, options))
  return results
}

export const comparisonTable = (results: readonly Comparison[]): string => {
  const us = (value: number) => value.toFixed(1)
  const row = (nodes: number, kind: Kind, figures: Figures, ratio: string) => [
    `${nodes} ${kind}`,
    us(figures.sender),
    us(figures.receiver),
    nodes > 2 ? us(figures.other) : '-',
    us(figures.nodes),
    us(figures.redis),
    us(figures.all),
    ratio,
    us(figures.idle),
    figures.rounds.map((round) => round.toFixed(0)).join(' '),
  ]
  const head = ['nodes', 'sender', 'receiver', 'each other', 'all nodes', 'redis', 'in all', 'ratio', 'idle', 'rounds']
  return [
    table(
      head,
      results.flatMap(({ nodes, ours, stock, ratio }) => [
        row(nodes, 'ours', ours, ''),
        row(nodes, 'stock', stock, `${ratio.toFixed(2)}x`),
      ]),
    ),
    '',
    `Median of ${ROUNDS} rounds. "in all" is nodes and Redis; "rounds" shows it for each round; "ratio" is stock / ours of it, round by round.`,
    `"idle" is what the same processes use when nothing is pushed, in the time of one push (at ${PACE.perSecond} a second); nothing is subtracted.`,
  ].join('\n')
}

/** Pushes in all rounds, including the warm-up. */
export const totalPushes = (results: readonly Comparison[]): number =>
  results.reduce((total, { pushes }) => total + pushes * 2 * (ROUNDS + 1), 0)
