import * as v from 'valibot'
import type { Metrics } from './metrics.ts'
import { judge, type NodeView } from './operator-server.ts'
import { version } from './version.ts'

const Count = v.pipe(v.number(), v.integer(), v.minValue(0))

/** What a node says of itself. Another build may say more. */
export const NodeReport = v.object({
  /** Version of its program. */
  version: v.string(),
  /** When its process began: ISO 8601. */
  since: v.string(),
  ready: v.boolean(),
  draining: v.boolean(),
  /** Why it is not ready, and what else is wrong: the words of `/readyz`. */
  reasons: v.array(v.string()),
  warnings: v.array(v.string()),
  load: v.object({
    /** How late the event loop comes to a timer, at worst but for 1 % of the last 15 s, in milliseconds. */
    lagMs: v.number(),
    /** Part of the last 15 s that the event loop was busy, 0 to 1. */
    busy: v.number(),
    /** Part of one core that the process took in the last 15 s. */
    cpu: v.number(),
    /** Resident memory in bytes. */
    memory: Count,
    /** Open sockets, of all doors. */
    sockets: Count,
    /** People with a socket in the channels. */
    people: Count,
    /** Tickets that sockets wait for. */
    tickets: Count,
    /** Channels that are followed, and their followers. */
    channels: Count,
    followers: Count,
  }),
})
export type NodeReport = v.InferOutput<typeof NodeReport>

const rounded = (value: number, digits: number): number => Number(value.toFixed(digits))

/** Reads a gauge, as a scrape would. */
const gaugeOf = async (
  { registry }: Pick<Metrics, 'registry'>,
  name: string,
  labels: Record<string, number> = {},
): Promise<number> => {
  const metric = registry.getSingleMetric(name)
  const { values = [] } = (await metric?.get()) ?? {}
  const wanted = Object.entries(labels)
  const found = values.find(({ labels: its }) =>
    wanted.every(([label, value]) => String((its as Record<string, unknown>)[label]) === String(value)),
  )
  return found?.value ?? 0
}

/** What this node says of itself at the moment. */
export const reportOf = async (inside: NodeView, metrics: Metrics, cpu: () => number): Promise<NodeReport> => {
  const { reasons, warnings } = judge(inside)
  const { counts } = inside
  const lag = await gaugeOf(metrics, 'saoma_event_loop_lag_seconds', { percentile: 99 })
  const busy = await gaugeOf(metrics, 'saoma_event_loop_utilization')
  return {
    version,
    since: new Date(performance.timeOrigin).toISOString(),
    ready: reasons.length === 0,
    draining: inside.isDraining(),
    reasons,
    warnings,
    load: {
      lagMs: rounded(lag * 1_000, 1),
      busy: rounded(busy, 3),
      cpu: rounded(cpu(), 3),
      memory: process.memoryUsage.rss(),
      sockets: counts.sockets().reduce((sum, { sockets }) => sum + sockets, 0),
      people: counts.people(),
      tickets: counts.tickets(),
      ...counts.live(),
    },
  }
}
