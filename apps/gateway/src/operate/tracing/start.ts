import { setTimeout as delay } from 'node:timers/promises'
import { context, DiagLogLevel, diag, propagation, trace } from '@opentelemetry/api'
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks'
import { W3CTraceContextPropagator } from '@opentelemetry/core'
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http'
import { detectResources, envDetector, resourceFromAttributes } from '@opentelemetry/resources'
import {
  AlwaysOffSampler,
  AlwaysOnSampler,
  BatchSpanProcessor,
  ParentBasedSampler,
  type Sampler,
  TraceIdRatioBasedSampler,
  TracerProvider,
} from '@opentelemetry/sdk-trace'
import { type Logger, rarely } from '../log.ts'
import { version } from '../version.ts'
import { followCalls } from './calls.ts'
import { createEntries } from './entries.ts'
import type { TraceOptions, TraceSampler } from './options.ts'
import type { Trace } from './trace.ts'

/** A collector that is away says so with every batch. */
const QUIET_MS = 60_000
const LAST_BATCH_MS = 3_000

const samplers: Record<TraceSampler, (ratio: number) => Sampler> = {
  always_on: () => new AlwaysOnSampler(),
  always_off: () => new AlwaysOffSampler(),
  traceidratio: (ratio) => new TraceIdRatioBasedSampler(ratio),
  parentbased_always_on: () => new ParentBasedSampler({ root: new AlwaysOnSampler() }),
  parentbased_always_off: () => new ParentBasedSampler({ root: new AlwaysOffSampler() }),
  parentbased_traceidratio: (ratio) => new ParentBasedSampler({ root: new TraceIdRatioBasedSampler(ratio) }),
}

/** OpenTelemetry, put together and told to the whole process: the only file that knows its SDK. */
export const startTracing = (options: TraceOptions & { nodeId: string }, log: Logger): Trace => {
  const warn = rarely(QUIET_MS, (message: string, times) => log.warn({ event: 'traces', message, times }))
  diag.setLogger({ error: warn, warn, info: () => {}, debug: () => {}, verbose: () => {} }, DiagLogLevel.WARN)

  const exporter = new OTLPTraceExporter({ url: options.url })
  const provider = new TracerProvider({
    sampler: samplers[options.sampler](options.ratio),
    // Whatever the environment adds; our own names go first.
    resource: detectResources({ detectors: [envDetector] }).merge(
      resourceFromAttributes({
        'service.name': options.service,
        'service.version': version,
        'service.instance.id': options.nodeId,
      }),
    ),
    spanProcessors: [new BatchSpanProcessor({ exporter })],
  })
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable())
  // Not the baggage: strangers would fill it.
  propagation.setGlobalPropagator(new W3CTraceContextPropagator())
  trace.setGlobalTracerProvider(provider)

  const tracer = trace.getTracer('saoma', version)
  const unfollow = followCalls(tracer)
  return {
    ...createEntries(tracer),
    close: async () => {
      unfollow()
      const sent = provider.shutdown().then(
        () => undefined,
        (error: unknown) => String(error),
      )
      const late = delay(LAST_BATCH_MS, 'not in time', { ref: false })
      const why = await Promise.race([sent, late])
      if (why) log.warn({ event: 'traces', message: why }, 'the last spans could not be sent')
    },
  }
}
