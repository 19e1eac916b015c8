import { joinCluster, type RedisClients } from '@saoma/redis'
import { type Logger, rarely } from './log.ts'
import { version } from './version.ts'

/** At most one log line in this time. */
const QUIET_MS = 10_000

/** Claims the node's name in the cluster. Rejects if another living node has it. */
export const openMembership = (
  redis: RedisClients,
  nodeId: string,
  log: Pick<Logger, 'error'>,
): ReturnType<typeof joinCluster> =>
  joinCluster(redis, {
    nodeId,
    release: version,
    onConflict: rarely(QUIET_MS, (other: string) =>
      log.error({ event: 'node-id', other }, 'another node has the same SAOMA_NODE_ID: end one of them'),
    ),
  })
