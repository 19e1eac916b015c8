import { type Audit, createAudit, type Loss } from '@saoma/audit'
import { type RedisClients, RedisUnavailable } from '@saoma/redis'
import { type Logger, rarely } from './log.ts'
import type { Metrics } from './metrics.ts'

/** The settings of the audit. */
export interface AuditSettings {
  nodeId: string
  secrets: readonly [string, ...string[]]
  audit: { isOn: boolean; entries: number; keepMs: number }
}

/** At most one log line in this time. */
const QUIET_MS = 10_000

/** The record of what happens on this node and on the others. */
export const openAudit = (
  redis: Pick<RedisClients, 'data' | 'keys'>,
  { nodeId, secrets, audit }: AuditSettings,
  { metrics, log }: { metrics: Pick<Metrics, 'audited' | 'auditLost'>; log: Logger },
): Audit => {
  let lost = 0
  const tellLost = rarely(QUIET_MS, (why: Loss) => {
    log.error({ event: 'audit', lost, why }, 'entries of the audit were lost')
    lost = 0
  })
  const tellError = rarely(QUIET_MS, (error: unknown, times) =>
    log.error({ err: error, event: 'audit', times }, 'the audit could not be written'),
  )
  return createAudit(redis, {
    ...audit,
    node: nodeId,
    secrets,
    onWritten: (kind) => metrics.audited.inc({ kind }),
    onLost: (count, why) => {
      metrics.auditLost.inc({ why }, count)
      lost += count
      tellLost(why)
    },
    onError: (error) => {
      if (!(error instanceof RedisUnavailable)) tellError(error)
    },
  })
}
