import { randomUUID } from 'node:crypto'
import Router from '@koa/router'
import * as v from 'valibot'
import { readJson } from './body.ts'
import type { Outbox } from './outbox.ts'
import { Id, type SignedIn } from './person.ts'
import { problem } from './problem.ts'

const NoticeBody = v.object({
  id: v.optional(Id, () => randomUUID()),
  text: v.pipe(v.string(), v.trim(), v.minLength(1), v.maxLength(200)),
  /** Seconds from now. */
  delay: v.optional(v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(3_600)), 0),
})

/** Maximum of one person's scheduled notices. */
const MOST_WAITING = 20

/** Notices to a person's own channel. Each person can request notices to themselves. */
export const noticeRoutes = (outbox: Outbox, signedIn: SignedIn): Router => {
  const router = new Router({ prefix: '/shop' })
  router.post('/notices', signedIn, async (ctx) => {
    const body = await readJson(ctx, NoticeBody)
    if (!body) return
    const { user } = ctx.state
    const channel = `user:${user}`
    if (outbox.waiting(channel) >= MOST_WAITING) return problem(ctx, 'BUSY')
    const due = Date.now() + body.delay * 1_000
    outbox.add(
      { channel, event: 'notice', data: { text: body.text }, idempotencyKey: `notice-${user}-${body.id}` },
      due,
    )
    ctx.status = 202
    ctx.body = { due: new Date(due).toISOString() }
  })
  return router
}
