import { joinCluster, type RedisClients } from '@saoma/redis'
import { type Logger, rarely } from './log.ts'

/** One line of the log in this time. */
const QUIET_MS = 10_000

/** Takes the node's name in the cluster. Rejects when another living node has it. */
export const openMembership = (
  redis: RedisClients,
  nodeId: string,
  log: Pick<Logger, 'error'>,
): ReturnType<typeof joinCluster> =>
  joinCluster(redis, {
    nodeId,
    onConflict: rarely(QUIET_MS, (other: string) =>
      log.error({ event: 'node-id', other }, 'another node has this SAOMA_NODE_ID too: end one of them'),
    ),
  })
