import Router from '@koa/router'
import type { Identity } from '@saoma/identity'
import {
  type CodePicture,
  fail,
  ok,
  type PooledCodeAnswer,
  parsePooledScene,
  parseTicket,
  parseVerificationDigits,
  type Result,
} from '@saoma/protocol'
import type { Tickets } from '@saoma/tickets'
import type { Pool } from '@saoma/wechat'
import * as v from 'valibot'
import type { Metrics } from '../../operate/metrics.ts'
import { readJson } from '../../transport/http/body.ts'
import type { Context, RequestState } from '../../transport/http/context.ts'
import { answer, problem, tooMany } from '../../transport/http/problem.ts'
import type { Limits } from '../../transport/limits.ts'
import { phoneOf } from '../phone.ts'
import type { QrPicture, ShownPicture } from './picture.ts'

/** What a picture opens: the mini-program or the phone page, or the business's own app. */
export const PictureOpens = v.picklist(['phone', 'app'])

export interface QrRoutesDeps {
  tickets: Tickets
  identity: Identity
  limits: Limits
  metrics: Metrics
  picture: QrPicture
  /** Absent without WeChat. */
  pool?: Pick<Pool, 'resolve'>
}

export interface QrRoutesOptions {
  /** Whether a link can open a ticket on the same phone. */
  hasLink: boolean
}

const describe = ({ code, check, image }: ShownPicture, link: boolean): CodePicture => ({
  code,
  ...('url' in image ? image : { url: `data:${image.type};base64,${image.bytes.toString('base64')}` }),
  ...(check ? { check } : {}),
  link,
})

/** The routes of a ticket's code: its picture for the browser, and its resolution for the phone. */
export const qrRoutes = (deps: QrRoutesDeps, { hasLink }: QrRoutesOptions): Router<RequestState> => {
  const { tickets, identity, limits, metrics, picture, pool } = deps
  const phone = phoneOf(identity)
  const router = new Router<RequestState>({ prefix: '/v1', sensitive: true })

  router.get('/tickets/:ticket/qr', async (ctx) => {
    ctx.vary('Accept')
    const ticket = parseTicket(ctx.params.ticket)
    if (!ticket.ok) return problem(ctx, 'TICKET_NOT_FOUND')
    // Only a pending ticket has a picture, and only a few: WeChat draws 5,000 a minute for the whole cluster.
    if (!(await tickets.isPending(ticket.value))) return problem(ctx, 'TICKET_NOT_FOUND')
    const { opens } = ctx.query
    if (opens !== undefined && !v.is(PictureOpens, opens))
      return problem(ctx, 'INVALID', 'opens is "phone" or "app", or absent')
    // The other picture of the same ticket counts apart: a page may show both.
    const { slow, isFirst } = await limits.pictures(opens ? `${ticket.value}.${opens}` : ticket.value)
    if (slow) return tooMany(ctx, slow.retryAfterSeconds)
    const wantsJson = ctx.accepts('image/png', 'json') === 'json'
    const shown = await picture(ticket.value, { isFirst, takesPlace: wantsJson, ...(opens ? { opens } : {}) })
    if (!shown.ok) return problem(ctx, shown.code)
    const { code, check, image } = shown.value
    if (wantsJson || 'url' in image) return answer<CodePicture>(ctx, ok(describe(shown.value, hasLink)))
    ctx.type = image.type
    ctx.set('Cache-Control', 'no-store')
    ctx.set('X-Saoma-Code', code)
    if (check) ctx.set('X-Saoma-Check', check)
    ctx.set('Cross-Origin-Resource-Policy', 'cross-origin')
    ctx.body = image.bytes
  })

  /**
   * Resolves a pooled code. To prevent guessing, a wrong check number counts against the limit. A correct
   * one, and none at all, are free.
   */
  const resolve = async (
    ctx: Context,
    sub: string,
    scene: string,
    check?: string,
  ): Promise<Result<string> | undefined> => {
    if (!pool) return fail('TICKET_EXPIRED')
    const slow = check === undefined ? undefined : await limits.verificationDigits(sub)
    if (slow) {
      tooMany(ctx, slow.retryAfterSeconds)
      return undefined
    }
    const found = await pool.resolve(scene, check)
    if (check !== undefined && (found.ok || found.code !== 'CHECK_WRONG')) await limits.verificationDigits.giveBack(sub)
    return found
  }

  router.post('/codes/:scene', async (ctx) => {
    const sub = await phone(ctx)
    if (!sub.ok) return problem(ctx, sub.code)
    const scene = parsePooledScene(ctx.params.scene)
    if (!scene.ok) return problem(ctx, 'TICKET_NOT_FOUND')
    const busy = await limits.decisions(sub.value)
    if (busy) return tooMany(ctx, busy.retryAfterSeconds)
    const body = await readJson(ctx, {})
    if (!body) return
    const given = parseVerificationDigits(body.json)
    if (!given.ok) return problem(ctx, given.code, 'check is the two digits beside the code')
    const found = await resolve(ctx, sub.value, scene.value, given.value.check)
    if (!found) return metrics.poolChecks.inc({ result: 'RATE_LIMITED' })
    metrics.poolChecks.inc({ result: found.ok ? 'ok' : found.code })
    answer<PooledCodeAnswer>(ctx, found.ok ? ok({ ticket: found.value }) : found)
  })

  return router
}
