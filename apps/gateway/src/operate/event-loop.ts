import { monitorEventLoopDelay, performance } from 'node:perf_hooks'
import { Gauge, type Registry } from 'prom-client'

/**
 * Sampling interval: twenty samples a second cost an idle node 0.2 % of a core. A shorter delay may fall
 * between two samples.
 */
const EVERY_MS = 50
const PERCENTILES = [50, 99, 100] as const
/**
 * As long as Prometheus's usual interval, but by our own clock, so that two Prometheus servers see the same.
 */
const WINDOW_MS = 15_000

/**
 * Measures lag and utilization of the event loop over the last window;
 * during the first window, over the time so far.
 */
export const watchEventLoop = (registry: Registry, windowMs = WINDOW_MS): void => {
  const registers = [registry]
  const delay = monitorEventLoopDelay({ resolution: EVERY_MS })
  delay.enable()
  let before = performance.eventLoopUtilization()
  const look = () => ({
    // Node measures the time between two samples. The lag is what exceeds the interval.
    lags: PERCENTILES.map((percentile) => Math.max(0, delay.percentile(percentile) / 1e6 - EVERY_MS) / 1_000),
    utilization: performance.eventLoopUtilization(before).utilization,
  })
  let last: ReturnType<typeof look> | undefined
  setInterval(() => {
    last = look()
    delay.reset()
    before = performance.eventLoopUtilization()
  }, windowMs).unref()
  new Gauge({
    name: 'saoma_event_loop_lag_seconds',
    help: 'How much later than due the event loop came to a timer, in 15 seconds',
    labelNames: ['percentile'],
    registers,
    collect() {
      const { lags } = last ?? look()
      for (const [i, percentile] of PERCENTILES.entries()) this.set({ percentile }, lags[i] ?? 0)
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
