import type { Result } from '@saoma/protocol'
import type { Middleware } from 'koa'
import type { Logger } from '../log.ts'
import type { RequestNotes } from '../request-notes.ts'
import type { TraceOptions } from './options.ts'

/**
 * Spans around what comes from outside. What is done for it, in Redis and at WeChat, becomes spans below
 * these.
 */
export interface Trace {
  /** Around an HTTP request, below the span that its `traceparent` names if it has one. */
  request: Middleware<RequestNotes>
  /** Around an event of a socket. */
  event<T extends Result<object>>(name: string, work: () => Promise<T>): Promise<T>
  /** Sends what is left, for at most three seconds. */
  close(): Promise<void>
}

/** Loads OpenTelemetry if traces are wanted; a node without them has none of it in memory. */
export const openTrace = async (
  config: { traces?: TraceOptions; nodeId: string },
  log: Logger,
): Promise<Trace | undefined> => {
  if (!config.traces) return undefined
  const { startTracing } = await import('./start.ts')
  return startTracing({ ...config.traces, nodeId: config.nodeId }, log)
}
