import { table } from '../table.ts'
import type { Cluster } from './cluster.ts'
import { type Figures, IDLE_NOTE, measure, pushesInAll, ROUNDS, ratioOf } from './rounds.ts'

export interface ComparisonOptions {
  /** Sizes of the clusters. */
  nodes: readonly number[]
  /** Pushes of one round. */
  pushes: number
  /** Called with each progress message. */
  onProgress: (sentence: string) => void
}

/** Clusters that are ours, by name, each with what it costs beside stock. */
export interface Comparison {
  nodes: number
  pushes: number
  ours: readonly {
    name: string
    figures: Figures
    /** stock / ours, for nodes and Redis: the median over pairs of consecutive rounds. */
    ratio: number
  }[]
  stock: Figures
}

type Start = (size: number) => Promise<Cluster>
export interface Starts {
  ours: Readonly<Record<string, Start>>
  stock: Start
}

const compareAt = async (
  nodes: number,
  { ours, stock }: Starts,
  { pushes, onProgress }: ComparisonOptions,
): Promise<Comparison> => {
  onProgress(`${nodes} nodes: starting`)
  const clusters: [name: string, cluster: Cluster][] = []
  for (const [name, start] of Object.entries(ours)) clusters.push([name, await start(nodes)])
  const base = await stock(nodes)
  const all = [...clusters.map(([, cluster]) => cluster), base]
  const figuresOf = await measure(all, { name: `${nodes} nodes`, pushes, onProgress })
  const compared = clusters.map(([name, cluster]) => {
    const figures = figuresOf(cluster)
    return { name, figures, ratio: ratioOf(figuresOf(base), figures) }
  })
  return { nodes, pushes, ours: compared, stock: figuresOf(base) }
}

/**
 * CPU cost of one push to a client of another node, for each cluster size. Measures ours and stock in the
 * same run.
 */
export const compare = async (starts: Starts, options: ComparisonOptions): Promise<Comparison[]> => {
  const results: Comparison[] = []
  for (const nodes of options.nodes) results.push(await compareAt(nodes, starts, options))
  return results
}

export const comparisonTable = (results: readonly Comparison[]): string => {
  const us = (value: number) => value.toFixed(1)
  const row = (nodes: number, name: string, figures: Figures, ratio = '') => [
    `${nodes} ${name}`,
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
      results.flatMap(({ nodes, ours, stock }) => [
        ...ours.map(({ name, figures, ratio }) => row(nodes, name, figures, `${ratio.toFixed(2)}x`)),
        row(nodes, 'stock', stock),
      ]),
    ),
    '',
    `Median of ${ROUNDS} rounds. "in all" is nodes and Redis; "rounds" shows it for each round; "ratio" is stock / ours of it, round by round.`,
    IDLE_NOTE,
  ].join('\n')
}

/** Pushes in all rounds, including the warm-up. */
export const totalPushes = (results: readonly Comparison[]): number =>
  results.reduce((total, { pushes, ours }) => total + pushesInAll(pushes) * (ours.length + 1), 0)
