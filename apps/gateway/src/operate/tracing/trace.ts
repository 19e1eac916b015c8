import type { Result } from '@saoma/protocol'
import type { Middleware } from 'koa'
import type { Logger } from '../log.ts'
import type { RequestNotes } from '../request-notes.ts'
import type { TraceOptions } from './options.ts'

/**
 * Spans around incoming requests and events. Calls to Redis and WeChat on their behalf become child spans.
 */
export interface Trace {
  /** The span of an HTTP request. It is a child of the span in its `traceparent`, if it has one. */
  request: Middleware<RequestNotes>
  /** The span of an event of a socket. */
  event<T extends Result<object>>(name: string, work: () => Promise<T>): Promise<T>
  /** Sends the remaining spans, for at most three seconds. */
  close(): Promise<void>
}

/** Loads OpenTelemetry if traces are configured. Otherwise it uses no memory. */
export const openTrace = async (
  config: { traces?: TraceOptions; nodeId: string },
  log: Logger,
): Promise<Trace | undefined> => {
  if (!config.traces) return undefined
  const { startTracing } = await import('./start.ts')
  return startTracing({ ...config.traces, nodeId: config.nodeId }, log)
}
