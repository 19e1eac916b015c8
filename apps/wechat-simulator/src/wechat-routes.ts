import type { IncomingMessage } from 'node:http'
import Router from '@koa/router'
import { readBytes } from '@saoma/protocol'
import type { Context } from 'koa'
import { code } from './api/code.ts'
import { type Answer, type Call, type Endpoint, parseObject } from './api/endpoint.ts'
import { scheme, urlLink } from './api/link.ts'
import { notify } from './api/notify.ts'
import { phone } from './api/phone.ts'
import { quota } from './api/quota.ts'
import { session } from './api/session.ts'
import { stableToken } from './api/stable-token.ts'
import { token } from './api/token.ts'
import { errorBody, JSON_TYPE } from './errors.ts'
import type { State } from './state.ts'

/** WeChat has always labelled this endpoint's JSON as plain text. */
const SESSION_TYPE = 'text/plain'
const LARGEST_BODY = 1024 * 1024

/** The body as text, whatever its content type: WeChat ignores the type too. Undefined if it is too large. */
const readBody = async (req: IncomingMessage): Promise<string | undefined> => {
  try {
    return Buffer.from(await readBytes(req.iterator({ destroyOnReturn: false }), LARGEST_BODY)).toString()
  } catch (error) {
    if (error instanceof RangeError) return undefined
    throw error
  }
}

/** Every business answer has status 200. A picture always has the type image/jpeg, even if it is a PNG. */
const render = (ctx: Context, state: State, answer: Answer, jsonType: string): void => {
  ctx.status = 200
  if (Buffer.isBuffer(answer)) {
    ctx.set('Content-Type', 'image/jpeg')
    ctx.body = answer
    return
  }
  ctx.set('Content-Type', jsonType)
  ctx.body = JSON.stringify(typeof answer === 'number' ? errorBody(answer, state.clock.now()) : answer)
}

/** The app that a call is for: it names the app, or has a token of it. */
const stateOf = ([first, ...others]: readonly [State, ...State[]], { query, body }: Call): State => {
  const { appid = query.get('appid') } = (parseObject(body) ?? {}) as { appid?: unknown }
  const token = query.get('access_token')
  return (
    others.find((state) => state.appid === appid || (token !== null && state.tokens.refusal(token) === undefined)) ??
    first
  )
}

/** WeChat's server API, as far as a login needs it. */
export const wechatRoutes = (states: readonly [State, ...State[]]): Router => {
  const [state] = states
  const router = new Router()

  const serve = (path: string, endpoint: Endpoint, jsonType = JSON_TYPE): void => {
    router.all(path, async (ctx) => {
      const body = await readBody(ctx.req)
      if (body === undefined) return render(ctx, state, 47001, jsonType)
      const query = new URLSearchParams(ctx.querystring)
      const call = { method: ctx.method, query, body }
      render(ctx, state, await endpoint(stateOf(states, call), call), jsonType)
    })
  }

  serve('/cgi-bin/token', token)
  serve('/cgi-bin/stable_token', stableToken)
  serve('/wxa/getwxacodeunlimit', code)
  serve('/wxa/generate_urllink', urlLink)
  serve('/wxa/generatescheme', scheme)
  serve('/cgi-bin/openapi/quota/get', quota)
  serve('/wxa/business/getuserphonenumber', phone)
  serve('/cgi-bin/message/subscribe/send', notify)
  serve('/sns/jscode2session', session, SESSION_TYPE)
  router.all('/{*path}', (ctx) => render(ctx, state, 40066, JSON_TYPE))
  return router
}
