import { type Comparison, type ComparisonOptions, compare, comparisonTable, totalPushes } from './comparison.ts'
import { startPublishCluster } from './publish-cluster.ts'

/** CPU cost of a backend's message to one person on another node, from socket to socket. */
export const benchPublish = (options: ComparisonOptions): Promise<Comparison[]> =>
  compare(
    {
      ours: { ours: (size) => startPublishCluster('ours', size) },
      stock: (size) => startPublishCluster('stock', size),
    },
    options,
  )

export const publishReport = (results: readonly Comparison[]): string =>
  [
    'CPU microseconds per message that a backend publishes to one person on another node',
    '',
    comparisonTable(results),
    `"ours" gives each message its place in the channel's log, keeps it and answers with it; "stock" passes it on and forgets it.`,
    `${totalPushes(results)} messages: each was received exactly once.`,
  ].join('\n')
