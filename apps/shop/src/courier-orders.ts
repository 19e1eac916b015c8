import { setTimeout as delay } from 'node:timers/promises'
import { backoffMs } from '@saoma/protocol'
import type { Logger } from 'pino'
import type { Jobs } from './jobs.ts'

export interface CourierOrdersOptions {
  /** The courier's address for quote requests. */
  url: string
  secret: string
}

/** The shop's quote requests, from the start of a job until the courier accepts the request. */
export interface CourierOrders {
  /** Sends the request, with retries. After the last attempt the job has failed. */
  order(job: { id: string; city: string }): void
  close(): Promise<void>
}

const TIMEOUT_MS = 5_000
const TRIES = 8
const RETRY = { baseMs: 500, capMs: 10_000 }

export const createCourierOrders = (jobs: Jobs, { url, secret }: CourierOrdersOptions, log: Logger): CourierOrders => {
  const closing = new AbortController()
  const { signal } = closing
  const underWay = new Set<Promise<void>>()

  const isTaken = async (job: { id: string; city: string }): Promise<boolean> => {
    try {
      const response = await fetch(url, {
        method: 'POST',
        headers: { 'content-type': 'application/json', authorization: `Bearer ${secret}` },
        body: JSON.stringify({ job: job.id, city: job.city }),
        signal: AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]),
      })
      await response.body?.cancel()
      return response.ok
    } catch {
      return false
    }
  }

  const askUntilTaken = async (job: { id: string; city: string }): Promise<void> => {
    for (let attempt = 0; attempt < TRIES; attempt++) {
      if (await isTaken(job)) return
      await delay(backoffMs(attempt, RETRY), undefined, { signal }).catch(() => {})
      if (signal.aborted) return
    }
    log.error({ event: 'courier', job: job.id }, 'the courier does not answer')
    jobs.finish(job.id, undefined)
  }

  const order = (job: { id: string; city: string }) => {
    const asking = askUntilTaken(job).finally(() => underWay.delete(asking))
    underWay.add(asking)
  }

  return {
    order,
    close: async () => {
      closing.abort()
      await Promise.all(underWay)
    },
  }
}
