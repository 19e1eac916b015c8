import { table } from '../table.ts'
import type { Cluster } from './cluster.ts'
import { type Figures, IDLE_NOTE, measure, ROUNDS, ratioOf } from './rounds.ts'
import type { Kind } from './worker-commands.ts'

export interface ComparisonOptions {
  /** Sizes of the clusters. */
  nodes: readonly number[]
  /** Pushes of one round. */
  pushes: number
  /** Called with each progress message. */
  onProgress: (sentence: string) => void
}

export interface Comparison {
  nodes: number
  pushes: number
  ours: Figures
  stock: Figures
  /** stock / ours, for nodes and Redis: the median over pairs of consecutive rounds. */
  ratio: number
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
  const figuresOf = await measure([ours, stock], { name: `${nodes} nodes`, pushes, onProgress })
  const figures = { ours: figuresOf(ours), stock: figuresOf(stock) }
  return { nodes, pushes, ...figures, ratio: ratioOf(figures.stock, figures.ours) }
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
    IDLE_NOTE,
  ].join('\n')
}

/** Pushes in all rounds, including the warm-up. */
export const totalPushes = (results: readonly Comparison[]): number =>
  results.reduce((total, { pushes }) => total + pushes * 2 * (ROUNDS + 1), 0)
