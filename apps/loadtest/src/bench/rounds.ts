import type { Cluster, Cost } from './cluster.ts'
import { median } from './numbers.ts'
import { PACE, paceMs } from './pace.ts'

/** CPU microseconds per push. Each figure is the median of the rounds. */
export interface Figures extends Cost {
  /** Sum over nodes and Redis. */
  all: number
  /** The same sum for each round, in order. It shows how much the machine varies. */
  rounds: number[]
  /** What idle nodes and Redis use in the time that one push takes. Part of `all`. */
  idle: number
}

export interface RoundsOptions {
  /** The beginning of each progress message. */
  name: string
  /** Pushes of one round. */
  pushes: number
  /** Called with each progress message. */
  onProgress: (sentence: string) => void
}

export const ROUNDS = 3
/**
 * Pushes before the rounds. V8 still compiles in the first twenty thousand, and what it uses for that is
 * counted: with five thousand, a publish over HTTP looked a third dearer. A node lives for days.
 */
const WARM_UP = 20_000
const warmUpsOf = (pushes: number): number => Math.ceil(WARM_UP / pushes)

/** Pushes to each cluster in all rounds, including the warm-up. */
export const pushesInAll = (pushes: number): number => pushes * (warmUpsOf(pushes) + ROUNDS)

/** Explains `idle` below a table. */
export const IDLE_NOTE = `"idle" is what the same processes use when nothing is pushed, in the time of one push (at ${PACE.perSecond} a second); nothing is subtracted.`

const summarise = (costs: readonly Cost[], idle: number): Figures => {
  const rounds = costs.map(({ nodes, redis }) => nodes + redis)
  const middle = (pick: (cost: Cost) => number) => median(costs.map(pick))
  return {
    sender: middle(({ sender }) => sender),
    receiver: middle(({ receiver }) => receiver),
    other: middle(({ other }) => other),
    nodes: middle(({ nodes }) => nodes),
    redis: middle(({ redis }) => redis),
    masters: (costs[0]?.masters ?? []).map((_, i) => middle(({ masters }) => masters[i] ?? Number.NaN)),
    all: median(rounds),
    rounds,
    idle,
  }
}

/** `figures` / `base`, for nodes and Redis: the median over pairs of rounds. */
export const ratioOf = (figures: Figures, base: Figures): number =>
  median(figures.rounds.map((round, i) => round / (base.rounds[i] ?? Number.NaN)))

/**
 * CPU cost of one push in each cluster. The clusters take turns in alternating order, after a warm-up. They
 * are stopped at the end. Resolves with a function that returns the figures of a cluster.
 */
export const measure = async (
  clusters: readonly Cluster[],
  { name, pushes, onProgress }: RoundsOptions,
): Promise<(cluster: Cluster) => Figures> => {
  const sides = clusters.map((cluster) => ({ cluster, costs: [] as Cost[] }))
  onProgress(`${name}: warming up`)
  for (const cluster of clusters) for (let run = 0; run < warmUpsOf(pushes); run++) await cluster.run(pushes)
  for (let round = 0; round < ROUNDS; round++) {
    onProgress(`${name}: round ${round + 1} of ${ROUNDS}`)
    for (const { cluster, costs } of round % 2 === 0 ? sides : sides.toReversed()) costs.push(await cluster.run(pushes))
  }
  // Measured at the end, when V8 has nothing left to compile or to collect.
  const idle = await Promise.all(clusters.map((cluster) => cluster.idle(paceMs(pushes))))
  await Promise.all(clusters.map((cluster) => cluster.stop()))

  const figures = new Map<Cluster, Figures>()
  for (const [i, { cluster, costs }] of sides.entries())
    figures.set(cluster, summarise(costs, (idle[i] ?? Number.NaN) / pushes))
  return (cluster) => {
    const found = figures.get(cluster)
    if (!found) throw new RangeError('this cluster has not been measured')
    return found
  }
}
