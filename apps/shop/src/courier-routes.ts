import { randomInt } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import Router from '@koa/router'
import { backoffMs } from '@saoma/protocol'
import type { Logger } from 'pino'
import * as v from 'valibot'
import { readJson } from './body.ts'
import { problem } from './problem.ts'
import { isSameSecret, sign } from './signature.ts'

export interface CourierOptions {
  /** The customer's webhook, agreed upon beforehand. A request never contains it. */
  webhook: string
  /**
   * Agreed upon beforehand too. The customer authenticates with it, and the courier signs webhooks with it.
   */
  secret: string
  /** Milliseconds that a quote takes. */
  ms: number
}

/** The other company of this demo, which works slowly. It shares only HTTP and a secret with the shop. */
export interface Courier {
  routes: Router
  close(): Promise<void>
}

const TIMEOUT_MS = 5_000
const TRIES = 10
const RETRY = { baseMs: 500, capMs: 10_000 }
const MOST_UNDER_WAY = 1_000

const RequestBody = v.object({ job: v.pipe(v.string(), v.maxLength(64)), city: v.pipe(v.string(), v.maxLength(60)) })

export const createCourier = ({ webhook, secret, ms }: CourierOptions, log: Logger): Courier => {
  const closing = new AbortController()
  const { signal } = closing
  const underWay = new Map<string, Promise<void>>()

  /** Calls the webhook until it answers 2xx, ten times at most. */
  const call = async (job: string): Promise<void> => {
    const quote = { number: `Q${randomInt(100_000, 1_000_000)}`, price: randomInt(12, 60) * 100, days: randomInt(1, 6) }
    const body = Buffer.from(JSON.stringify({ job, quote }))
    for (let attempt = 0; attempt < TRIES; attempt++) {
      const wait = attempt === 0 ? ms : backoffMs(attempt, RETRY)
      await delay(wait, undefined, { signal })
      try {
        const response = await fetch(webhook, {
          method: 'POST',
          headers: { 'content-type': 'application/json', 'x-courier-signature': sign(secret, body) },
          body,
          signal: AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]),
        })
        await response.body?.cancel()
        if (response.ok) return
        log.warn({ event: 'courier', job, status: response.status }, 'the webhook refuses')
      } catch (error) {
        log.warn({ event: 'courier', job, err: error }, 'the webhook does not answer')
      }
    }
  }

  const routes = new Router({ prefix: '/shop/courier' })
  routes.post('/quotes', async (ctx) => {
    if (!isSameSecret(ctx.get('Authorization'), `Bearer ${secret}`)) return problem(ctx, 'UNAUTHORIZED')
    const body = await readJson(ctx, RequestBody)
    if (!body) return
    const { job } = body
    if (underWay.size >= MOST_UNDER_WAY) return problem(ctx, 'BUSY')
    if (!underWay.has(job))
      underWay.set(
        job,
        call(job)
          // Only `close` rejects it.
          .catch(() => {})
          .finally(() => underWay.delete(job)),
      )
    ctx.status = 202
    ctx.body = {}
  })

  return {
    routes,
    close: async () => {
      closing.abort()
      await Promise.all(underWay.values())
    },
  }
}
