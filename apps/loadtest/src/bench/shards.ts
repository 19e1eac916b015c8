import { table } from '../table.ts'
import { followOurs } from './follow.ts'
import { sum } from './numbers.ts'
import { publishThrough } from './publish-cluster.ts'
import { type Figures, measure, type RoundsOptions } from './rounds.ts'
import { openMasters, startSaoma } from './saoma.ts'

export interface ShardsResult {
  one: Figures
  three: Figures
}

const NODES = 2

/**
 * What each of three masters does of the work of one Redis, for messages to one person after the
 * other.
 */
export const benchShards = async ({ pushes, onProgress }: Omit<RoundsOptions, 'name'>): Promise<ShardsResult> => {
  onProgress('shards: one Redis, and three masters')
  const one = await publishThrough(await startSaoma(NODES), followOurs)
  const three = await publishThrough(await startSaoma(NODES, openMasters), followOurs)
  const figures = await measure([one, three], { name: 'shards', pushes, onProgress })
  return { one: figures(one), three: figures(three) }
}

export const shardsReport = ({ one, three }: ShardsResult): string => {
  const us = (value: number) => value.toFixed(1)
  const row = (name: string, { nodes, redis, masters, all }: Figures) => [
    name,
    us(nodes),
    us(redis),
    masters.map(us).join(' '),
    us(all),
  ]
  const busiest = Math.max(...three.masters)
  return [
    'CPU microseconds per message that a backend publishes to one person on another node, by Redis',
    '',
    table(['', 'all nodes', 'redis', 'of it each', 'in all'], [row('one Redis', one), row('three masters', three)]),
    '',
    `The busiest of three masters does ${((100 * busiest) / sum(three.masters)).toFixed(0)} % of the work of all three, and ${((100 * busiest) / one.redis).toFixed(0)} % of what one Redis does.`,
  ].join('\n')
}
