import { type Comparison, type ComparisonOptions, compare, comparisonTable, totalPushes } from './comparison.ts'
import { startConfirmCluster } from './confirm-cluster.ts'
import { startLightCluster } from './confirm-light.ts'

/** CPU cost of pushing a confirmed login to a browser on another node. */
export const benchConfirm = (options: ComparisonOptions): Promise<Comparison[]> =>
  compare(
    {
      ours: { 'ours, light': startLightCluster, ours: (size) => startConfirmCluster('ours', size) },
      stock: (size) => startConfirmCluster('stock', size),
    },
    options,
  )

export const confirmReport = (results: readonly Comparison[]): string =>
  [
    'CPU microseconds per push of a confirmed login to a browser on another node',
    '',
    comparisonTable(results),
    `"ours, light" has browsers that only wait, on real gateways; "ours" and "stock" have Socket.IO's sockets.`,
    `Ours also writes the login's state to Redis in the same step; "stock" only pushes.`,
    `${totalPushes(results)} pushes: each was received exactly once.`,
  ].join('\n')
