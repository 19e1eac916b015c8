import type { RequestListener } from 'node:http'
import type { Publisher, Verifier } from '@saoma/client/server'
import Koa from 'koa'
import type { Logger } from 'pino'
import { createCourierOrders } from './courier-orders.ts'
import { createCourier } from './courier-routes.ts'
import type { Database } from './database.ts'
import { jobRoutes } from './job-routes.ts'
import { createJobs } from './jobs.ts'
import { noticeRoutes } from './notice-routes.ts'
import { createOrders } from './orders.ts'
import { createOutbox } from './outbox.ts'
import { signedIn } from './person.ts'
import { problem } from './problem.ts'
import { tableRoutes } from './table-routes.ts'

export interface ShopDeps {
  database: Database
  /** The shop's only way to publish to Saoma's channels. */
  publisher: Publisher
  /** Says whose access token a request carries. */
  verifier: Verifier
  log: Logger
}

export interface ShopOptions {
  /** `/shop/` is below this address, for the courier too. */
  saomaUrl: string
  hookSecret: string
  courierSecret: string
  courierMs: number
}

/**
 * A small business: people order at tables, get notices, and wait for a courier's quote. Like any business it
 * knows Saoma by three interfaces: the published keys, the HTTP publish and the hook. It imports nothing of
 * Saoma's internals.
 */
export interface Shop {
  handler: RequestListener
  /** Resolves when nothing uses the database anymore. */
  close(): Promise<void>
}

export const createShop = ({ database, publisher, verifier, log }: ShopDeps, options: ShopOptions): Shop => {
  const { saomaUrl, hookSecret, courierSecret, courierMs } = options
  const outbox = createOutbox(database, publisher, log)
  const orders = createOrders(database, outbox)
  const jobs = createJobs(database, outbox)
  const courier = createCourier(
    { webhook: `${saomaUrl}/shop/webhooks/courier`, secret: courierSecret, ms: courierMs },
    log,
  )
  const courierOrders = createCourierOrders(
    jobs,
    { url: `${saomaUrl}/shop/courier/quotes`, secret: courierSecret },
    log,
  )
  const app = new Koa()

  app.use(async (ctx, next) => {
    const started = performance.now()
    ctx.set('Cache-Control', 'no-store')
    ctx.set('X-Content-Type-Options', 'nosniff')
    try {
      await next()
      if (ctx.status === 404 && ctx.body === undefined) problem(ctx, 'NOT_FOUND')
    } catch (error) {
      log.error({ err: error, path: ctx.path }, 'request failed')
      problem(ctx, 'INTERNAL')
    }
    if (ctx.path === '/healthz') return
    const { method, path, status } = ctx
    log[status >= 500 ? 'error' : method === 'GET' ? 'debug' : 'info']({
      event: 'request',
      method,
      path: path.slice(0, 256),
      status,
      ms: Math.round(performance.now() - started),
    })
  })
  app.use((ctx, next) => {
    if (ctx.path !== '/healthz') return next()
    ctx.body = {}
  })
  const person = signedIn(verifier)
  for (const router of [
    tableRoutes(orders, person),
    noticeRoutes(outbox, person),
    jobRoutes(jobs, { signedIn: person, hookSecret, courierSecret, order: courierOrders.order }),
    courier.routes,
  ])
    app.use(router.routes())

  // The courier may have lost the requests from before the shop's restart.
  for (const job of jobs.running()) courierOrders.order(job)

  return {
    handler: app.callback(),
    close: async () => {
      outbox.close()
      await Promise.all([courierOrders.close(), courier.close()])
    },
  }
}
