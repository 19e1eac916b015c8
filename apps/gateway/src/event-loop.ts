import { monitorEventLoopDelay, performance } from 'node:perf_hooks'
import { Gauge, type Registry } from 'prom-client'

/** Between two looks: twenty a second cost an idle node 0.2 % of a core. What is shorter may fall between two of them. */
const EVERY_MS = 50
const QUANTILES = { '0.5': 50, '0.99': 99, '1': 100 }

/** How late and how busy the event loop was since the last scrape. */
export const watchEventLoop = (registry: Registry): void => {
  const registers = [registry]
  const delay = monitorEventLoopDelay({ resolution: EVERY_MS })
  delay.enable()
  new Gauge({
    name: 'saoma_event_loop_lag_seconds',
    help: 'How much later than due the event loop came to a timer since the last scrape',
    labelNames: ['quantile'],
    registers,
    collect() {
      // Node measures from one look to the next; what is more than the time between them is the lag.
      for (const [quantile, percentile] of Object.entries(QUANTILES))
        this.set({ quantile }, Math.max(0, delay.percentile(percentile) / 1e6 - EVERY_MS) / 1_000)
      delay.reset()
    },
  })
  let before = performance.eventLoopUtilization()
  new Gauge({
    name: 'saoma_event_loop_utilization',
    help: 'Part of the time since the last scrape that the event loop was busy, 0 to 1',
    registers,
    collect() {
      const now = performance.eventLoopUtilization()
      this.set(performance.eventLoopUtilization(now, before).utilization)
      before = now
    },
  })
}
