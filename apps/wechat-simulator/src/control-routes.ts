import { bodyParser } from '@koa/bodyparser'
import Router from '@koa/router'
import type { Context } from 'koa'
import * as v from 'valibot'
import type { Fault } from './faults.ts'
import type { State } from './state.ts'

const Count = v.pipe(v.number(), v.integer(), v.minValue(0))

const Login = v.object({
  person: v.pipe(v.string(), v.minLength(1), v.maxLength(64)),
  blocked: v.optional(v.boolean()),
  appid: v.optional(v.string()),
})
const fields = { path: v.optional(v.string()), times: v.optional(v.pipe(Count, v.minValue(1))) }
const FaultOrder: v.GenericSchema<unknown, Fault> = v.variant('kind', [
  v.object({ ...fields, kind: v.literal('slow'), ms: Count }),
  v.object({ ...fields, kind: v.picklist(['down', 'cut']) }),
  v.object({ ...fields, kind: v.literal('errcode'), errcode: v.pipe(v.number(), v.integer()) }),
  v.object({
    ...fields,
    kind: v.literal('garbage'),
    status: v.optional(v.pipe(v.number(), v.integer(), v.minValue(200), v.maxValue(599))),
  }),
])
const Phone = v.object({
  number: v.pipe(v.string(), v.regex(/^\d{3,20}$/)),
  country: v.optional(v.pipe(v.string(), v.regex(/^\d{1,4}$/))),
})
const Consent = v.object({
  person: v.pipe(v.string(), v.minLength(1), v.maxLength(64)),
  template: v.string(),
  appid: v.optional(v.string()),
})
const Opening = v.object({ url: v.string(), inWechat: v.optional(v.boolean(), false) })
const Advance = v.object({ ms: Count })
const Use = v.object({ quota: v.picklist(['codes', 'linksOfDay', 'tokensOfDay']), calls: Count })

/** The parsed body, or a 400 that explains the error. */
const read = <T>(ctx: Context, schema: v.GenericSchema<unknown, T>): T => {
  const body = v.safeParse(schema, ctx.request.body)
  if (!body.success)
    ctx.throw(400, body.issues.map((issue) => `${v.getDotPath(issue) ?? 'body'}: ${issue.message}`).join('; '))
  return body.output
}

/**
 * Controls that WeChat does not have: the phone's side, faults, and the internal state. They are for tests
 * and for people on this machine.
 */
export const controlRoutes = (states: readonly [State, ...State[]]): Router => {
  const [state] = states
  const { clock, tokens, logins, codes, links, faults, calls, quotas } = state
  const router = new Router({ prefix: '/simulator' })
  router.use(bodyParser())

  router.post('/login', (ctx) => {
    const { person, blocked, appid = state.appid } = read(ctx, Login)
    const app = states.find((each) => each.appid === appid)
    if (!app) return ctx.throw(404, 'there is no such app')
    ctx.body = { js_code: app.logins.login(person, blocked) }
  })

  /** A person presses the button for the phone number. */
  router.post('/phone', (ctx) => {
    const { number, country } = read(ctx, Phone)
    ctx.body = { code: logins.phoneCode(number, country) }
  })

  /** A person agrees to one more message of a template, as with `wx.requestSubscribeMessage`. */
  router.post('/messages/agree', (ctx) => {
    const { person, template, appid = state.appid } = read(ctx, Consent)
    const app = states.find((each) => each.appid === appid)
    if (!app) return ctx.throw(404, 'there is no such app')
    app.messages.agree(app.logins.openidOf(person), template)
    ctx.body = {}
  })
  /** The latest messages of each app, oldest first. */
  router.get('/messages', (ctx) => {
    ctx.body = {
      messages: states.flatMap(({ appid, messages }) => messages.last().map((each) => ({ appid, ...each }))),
    }
  })

  /** A person taps a link. Returns what `wx.getEnterOptionsSync()` gives to the opened mini-program. */
  router.post('/links/open', (ctx) => {
    const { url, inWechat } = read(ctx, Opening)
    const opened = links.open(url, inWechat)
    if (typeof opened === 'string') ctx.throw(opened === 'unknown' ? 404 : 410, `this link is ${opened}`)
    ctx.body = opened
  })

  router.post('/faults', (ctx) => {
    faults.order(read(ctx, FaultOrder))
    ctx.body = {}
  })
  router.delete('/faults', (ctx) => {
    faults.clear()
    ctx.body = {}
  })

  router.post('/tokens/expire', (ctx) => {
    tokens.expire()
    ctx.body = {}
  })
  router.post('/tokens/refuse', (ctx) => {
    tokens.refuse()
    ctx.body = {}
  })
  router.post('/clock/advance', (ctx) => {
    clock.advance(read(ctx, Advance).ms)
    ctx.body = { now: clock.now() }
  })
  /** Uses calls of a quota, as if somebody had made them. */
  router.post('/quotas/use', (ctx) => {
    const { quota, calls } = read(ctx, Use)
    ctx.body = { used: quotas[quota]('', calls) }
  })

  router.get('/counters', (ctx) => {
    ctx.body = { calls: Object.fromEntries(calls), tokens: tokens.minted, codes: codes.count(), links: links.count() }
  })
  /** The most recent codes, oldest first. */
  router.get('/codes', (ctx) => {
    ctx.body = { codes: codes.last() }
  })
  return router
}
