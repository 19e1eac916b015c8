import Router from '@koa/router'
import { LONGEST_HOLD_SECONDS, parseDeviceCode, type TicketStatus, ticketOf } from '@saoma/protocol'
import type { Tickets } from '@saoma/tickets'
import type { Context, RequestState } from '../transport/http/context.ts'
import type { HeldRequests } from '../transport/http/held-requests.ts'
import { ticketCookie } from './ticket-cookie.ts'

/** WeChat's own polls are held for about as long. */
const HOLD_MS = LONGEST_HOLD_SECONDS * 1_000

/**
 * The answer to a page: the status of its ticket, no change, or that the page has no such ticket (any more).
 */
type Reading = { status: TicketStatus; deviceCode: string } | 'unchanged' | 'gone'

/**
 * The two long polls of WeChat's own login pages, for pages that were written for them. Only the browser
 * whose cookie proves that it created the ticket sees its state. To all others it appears expired.
 */
export const wechatPolls = (tickets: Tickets, holds: HeldRequests): Router<RequestState> => {
  const router = new Router<RequestState>({ sensitive: true })

  const read = async (ctx: Context, knowsScan: boolean): Promise<Reading> => {
    const ticket = String(ctx.query.uuid ?? '')
    const cookie = parseDeviceCode(ticketCookie.read(ctx, ticket))
    if (!cookie.ok || ticketOf(cookie.value) !== ticket) return 'gone'
    const present = await tickets.read(cookie.value)
    if (!present.ok) return 'gone'
    // A page that knows of the scan waits for the next transition. Any other is told of the scan at once.
    const seen = knowsScan && present.value.status === 'scanned' ? present.value.version : 1
    const state = await holds.hold(ctx, (signal) => tickets.wait(cookie.value, seen, { timeoutMs: HOLD_MS, signal }))
    if (!state.ok) return 'gone'
    return state.value.version > seen ? { status: state.value.status, deviceCode: cookie.value } : 'unchanged'
  }

  const script = (ctx: Context, body: string): void => {
    ctx.type = 'text/javascript; charset=utf-8'
    ctx.set('Cache-Control', 'no-store')
    ctx.set('Cross-Origin-Resource-Policy', 'same-origin')
    ctx.body = body
  }

  // Web WeChat. `tip=1` means "tell me of the scan", `tip=0` "I know of it".
  router.get('/cgi-bin/mmwebwx-bin/login', async (ctx) => {
    const reading = await read(ctx, ctx.query.tip === '0')
    if (reading === 'unchanged') return script(ctx, 'window.code=408;')
    if (reading !== 'gone' && reading.status === 'scanned') return script(ctx, 'window.code=201;')
    if (reading !== 'gone' && reading.status === 'confirmed') {
      const target = `${ctx.state.origin}/?ticket=${ticketOf(reading.deviceCode)}`
      return script(ctx, `window.code=200;\nwindow.redirect_uri=${JSON.stringify(target)};`)
    }
    script(ctx, 'window.code=400;')
  })

  // Website login of the Open Platform. `last=404` means "I know of the scan".
  router.get('/connect/l/qrconnect', async (ctx) => {
    const reading = await read(ctx, ctx.query.last === '404')
    if (reading === 'unchanged') return script(ctx, "window.wx_errcode=408;window.wx_code='';")
    if (reading !== 'gone' && reading.status === 'scanned')
      return script(ctx, "window.wx_errcode=404;window.wx_code='';")
    if (reading !== 'gone' && reading.status === 'confirmed') {
      return script(ctx, `window.wx_errcode=405;window.wx_code=${JSON.stringify(reading.deviceCode)};`)
    }
    // A page that already knows of the rejection should fetch a new code.
    if (reading !== 'gone' && reading.status === 'rejected' && ctx.query.last !== '403') {
      return script(ctx, "window.wx_errcode=403;window.wx_code='';")
    }
    script(ctx, "window.wx_errcode=402;window.wx_code='';")
  })

  return router
}
