import { table } from '../table.ts'
import type { Cluster } from './cluster.ts'
import { type HttpDoor, NODES, nchanDoor, ourDoors, stockDoor } from './http-doors.ts'
import { findNchan, NCHAN_ABSENT } from './nchan.ts'
import { startPublishHttpCluster } from './publish-http-cluster.ts'
import { type Figures, IDLE_NOTE, measure, pushesInAll, ROUNDS, ratioOf } from './rounds.ts'

export interface PublishHttpOptions {
  /** Messages of one round. */
  pushes: number
  /** Called with each progress message. */
  onProgress: (sentence: string) => void
}

export interface PublishHttpRow extends Figures {
  name: string
  /** stock / this row, for nodes and Redis. */
  ratio: number
}

export interface PublishHttpResult {
  pushes: number
  rows: PublishHttpRow[]
  /** Why another server is missing from the comparison. */
  absent: string[]
}

interface Side {
  name: string
  cluster: Cluster
}

const open = async (door: HttpDoor): Promise<Side> => ({
  name: door.name,
  cluster: await startPublishHttpCluster(door),
})

/** CPU cost of a backend's message to one person on another node, from HTTP to socket. */
export const benchPublishHttp = async ({ pushes, onProgress }: PublishHttpOptions): Promise<PublishHttpResult> => {
  onProgress('publish-http: starting')
  const sides: Side[] = []
  for (const door of ourDoors) sides.push(await open(door))
  const stock = await open(stockDoor)
  sides.push(stock)
  const module = await findNchan()
  if (module) sides.push(await open(nchanDoor(module)))

  const clusters = sides.map(({ cluster }) => cluster)
  const figuresOf = await measure(clusters, { name: 'publish-http', pushes, onProgress })
  const rowOf = ({ name, cluster }: Side): PublishHttpRow => {
    const figures = figuresOf(cluster)
    return { name, ...figures, ratio: ratioOf(figuresOf(stock.cluster), figures) }
  }
  return { pushes, rows: sides.map(rowOf), absent: module ? [] : [NCHAN_ABSENT] }
}

export const publishHttpReport = ({ pushes, rows, absent }: PublishHttpResult): string => {
  const us = (value: number) => value.toFixed(1)
  const cells = rows.map(({ name, sender, receiver, nodes, redis, all, ratio, idle, rounds }) => [
    name,
    ...[sender, receiver, nodes, redis, all].map(us),
    `${ratio.toFixed(2)}x`,
    us(idle),
    rounds.map((round) => round.toFixed(0)).join(' '),
  ])
  return [
    `CPU microseconds per message that a backend publishes over HTTP to one person on another node, with ${NODES} nodes`,
    '',
    table(['', 'sender', 'receiver', 'all nodes', 'redis', 'in all', 'ratio', 'idle', 'rounds'], cells),
    '',
    `Median of ${ROUNDS} rounds. "in all" is nodes and Redis; "rounds" shows it for each round; "ratio" is stock / the row of it, round by round: above 1 the row costs less than stock.`,
    IDLE_NOTE,
    `"ours" checks the key, gives each message its place in the channel's log and keeps it, but for "keeping nothing"; "stock" compares the key, passes the message on and forgets it.`,
    `${pushesInAll(pushes) * rows.length} messages: each was received exactly once.`,
    ...absent,
  ].join('\n')
}
