import Router from '@koa/router'
import * as v from 'valibot'
import { parseBody, readBody, readJson } from './body.ts'
import { type Jobs, jobOf } from './jobs.ts'
import { Id, type SignedIn } from './person.ts'
import { problem } from './problem.ts'
import { isSameSecret, isSigned } from './signature.ts'

export interface JobRoutesOptions {
  signedIn: SignedIn
  hookSecret: string
  courierSecret: string
  /** Sends a job to the courier, which later calls the webhook. */
  order: (job: { id: string; city: string }) => void
}

const JobBody = v.object({ request: Id, city: v.pipe(v.string(), v.trim(), v.minLength(1), v.maxLength(60)) })
const Count = v.pipe(v.number(), v.integer(), v.minValue(0))
const WebhookBody = v.object({
  job: v.string(),
  quote: v.object({ number: v.pipe(v.string(), v.maxLength(40)), price: Count, days: Count }),
})
const HookBody = v.object({ action: v.string(), channel: v.string(), user: v.string() })

/** Saoma may cache a yes for this long, because a job never changes its owner. */
const YES_SECONDS = 3_600

/** A job from its start to the webhook that ends it, and the hook that tells Saoma the job's owner. */
export const jobRoutes = (jobs: Jobs, { signedIn, hookSecret, courierSecret, order }: JobRoutesOptions): Router => {
  const router = new Router({ prefix: '/shop' })

  router.post('/jobs', signedIn, async (ctx) => {
    const body = await readJson(ctx, JobBody)
    if (!body) return
    const job = jobs.begin(ctx.state.user, body.request, body.city)
    if (!job) return problem(ctx, 'BUSY')
    if (job.status === 'running') order(job)
    ctx.status = 202
    ctx.body = job
  })

  router.get('/jobs/:id', signedIn, (ctx) => {
    const job = jobs.find(ctx.state.user, ctx.params.id ?? '')
    if (!job) return problem(ctx, 'NOT_FOUND')
    ctx.body = job
  })

  // The courier calls until it gets an answer, so the same call may arrive twice.
  router.post('/webhooks/courier', async (ctx) => {
    const raw = await readBody(ctx)
    if (!raw) return
    if (!isSigned(courierSecret, raw, ctx.get('X-Courier-Signature'))) return problem(ctx, 'UNAUTHORIZED')
    const body = parseBody(ctx, raw, WebhookBody)
    if (!body) return
    if (!jobs.finish(body.job, body.quote)) return problem(ctx, 'NOT_FOUND')
    ctx.status = 204
  })

  router.post('/hook', async (ctx) => {
    if (!isSameSecret(ctx.get('Authorization'), `Bearer ${hookSecret}`)) return problem(ctx, 'UNAUTHORIZED')
    const body = await readJson(ctx, HookBody)
    if (!body) return
    const job = jobOf(body.channel)
    const allow = body.action === 'follow' && job !== undefined && jobs.isOf(body.user, job)
    ctx.body = allow ? { allow, seconds: YES_SECONDS } : { allow }
  })
  return router
}
