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

/** At most one warning in this time, because each batch fails while the collector is unavailable. */
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

/** Sets up OpenTelemetry for the whole process. This is the only file that imports its SDK. */
export const startTracing = (options: TraceOptions & { nodeId: string }, log: Logger): Trace => {
  const warn = rarely(QUIET_MS, (message: string, times) => log.warn({ event: 'traces', message, times }))
  diag.setLogger({ error: warn, warn, info: () => {}, debug: () => {}, verbose: () => {} }, DiagLogLevel.WARN)

  const exporter = new OTLPTraceExporter({ url: options.url })
  const provider = new TracerProvider({
    sampler: samplers[options.sampler](options.ratio),
    // Attributes from the environment are added, but ours take precedence.
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
  // Do not propagate baggage: any client could fill it.
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
      const late = delay(LAST_BATCH_MS, 'timeout', { ref: false })
      const why = await Promise.race([sent, late])
      if (why) log.warn({ event: 'traces', message: why }, 'the last spans could not be sent')
    },
  }
}
