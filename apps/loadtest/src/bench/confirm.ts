import { type Comparison, type ComparisonOptions, compare, comparisonTable, totalPushes } from './comparison.ts'
import { startConfirmCluster } from './confirm-cluster.ts'

/** CPU cost of pushing a confirmed login to a browser on another node. */
export const benchConfirm = (options: ComparisonOptions): Promise<Comparison[]> => compare(startConfirmCluster, options)

export const confirmReport = (results: readonly Comparison[]): string =>
  [
    'CPU microseconds per push of a confirmed login to a browser on another node',
    '',
    comparisonTable(results),
    `"ours" also writes the login's state to Redis in the same step; "stock" only pushes.`,
    `${totalPushes(results)} pushes: each was received exactly once.`,
  ].join('\n')
