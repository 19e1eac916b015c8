import { monitorEventLoopDelay, performance } from 'node:perf_hooks'
import { every } from '@saoma/redis'
import { Gauge, type Registry } from 'prom-client'
import { lagsOf } from './lags.ts'

/** Sampling interval of a Node that cannot measure turns. */
const SAMPLE_MS = 50
const PERCENTILES = [50, 99, 100] as const
/**
 * As long as Prometheus's usual interval, but by our own clock, so that two Prometheus servers see the same.
 */
const WINDOW_MS = 15_000

/** A Node that does not know the option does not check its type either. */
const measuresTurns = (): boolean => {
  try {
    monitorEventLoopDelay({ samplePerIteration: 'is it known?' as never })
    return false
  } catch {
    return true
  }
}

/** What a histogram of the event loop says of the last `windowMs`: a lag in ms for each percentile. */
interface Delay {
  histogram: ReturnType<typeof monitorEventLoopDelay>
  lags(windowMs: number): number[]
}

/**
 * Turns are measured as they come. Sampling by a timer would wake an idle node twenty times a second, which
 * costs ten times as much as all that it does for the cluster.
 */
const measureTurns = (): Delay => {
  const histogram = monitorEventLoopDelay({ samplePerIteration: true })
  histogram.enable()
  // The turn in which it was enabled counts as long as the start of the process.
  setImmediate(() => setImmediate(() => histogram.reset()))
  return { histogram, lags: (windowMs) => lagsOf(histogram, windowMs, PERCENTILES) }
}

/** Node measures the time between two samples. The lag is what exceeds the interval. */
const sample = (): Delay => {
  const histogram = monitorEventLoopDelay({ resolution: SAMPLE_MS })
  histogram.enable()
  const lag = (percentile: number) => Math.max(0, histogram.percentile(percentile) / 1e6 - SAMPLE_MS)
  return { histogram, lags: () => PERCENTILES.map(lag) }
}

/**
 * Measures lag and utilization of the event loop over the last window;
 * during the first window, over the time so far.
 */
export const watchEventLoop = (registry: Registry, windowMs = WINDOW_MS): void => {
  const registers = [registry]
  const delay = measuresTurns() ? measureTurns() : sample()
  let begunAt = performance.now()
  let before = performance.eventLoopUtilization()
  const look = () => ({
    lags: delay.lags(performance.now() - begunAt),
    utilization: performance.eventLoopUtilization(before).utilization,
  })
  let last: ReturnType<typeof look> | undefined
  every(windowMs, () => {
    last = look()
    delay.histogram.reset()
    begunAt = performance.now()
    before = performance.eventLoopUtilization()
  })
  new Gauge({
    name: 'saoma_event_loop_lag_seconds',
    help: 'How much later than due the event loop comes to a timer, over 15 seconds',
    labelNames: ['percentile'],
    registers,
    collect() {
      const { lags } = last ?? look()
      for (const [i, percentile] of PERCENTILES.entries()) this.set({ percentile }, (lags[i] ?? 0) / 1_000)
    },
  })
  new Gauge({
    name: 'saoma_event_loop_utilization',
    help: 'Part of 15 seconds that the event loop was busy, 0 to 1',
    registers,
    collect() {
      this.set((last ?? look()).utilization)
    },
  })
}
