import type { RedisClients } from '@saoma/redis'
import * as v from 'valibot'
import { createAccessToken } from './access-token.ts'
import { type CodeImage, isScene, readImage } from './code-image.ts'
import { createBudget } from './draw-quota.ts'
import type { WechatEvent } from './events.ts'
import { failureOf, misconfigured, rejected, remedyOf, unavailable, type WechatFailure } from './failure.ts'
import { isLinkLife, type LinkOptions, linkCall } from './link.ts'
import { jsonOf, type Outcome, type Request, send } from './request.ts'
import { pause, within } from './retry-wait.ts'

export interface WechatOptions {
  appid: string
  secret: string
  /** Base URL of the API: https://api.weixin.qq.com, or a simulator. */
  api: string
  /** The page that a code opens, without a leading slash and without a query. */
  page: string
  /**
   * Which version of the mini-program a code opens. For `release` the page must be published already.
   * @default 'release'
   */
  envVersion?: 'release' | 'trial' | 'develop'
  /** Timeout of one HTTP try in milliseconds. @default 3000 */
  timeoutMs?: number
  /** Called for every try and every new token. Events contain no secrets. */
  onEvent?: (event: WechatEvent) => void
}

export interface SubscriptionMessage {
  openid: string
  /** Id of the template. */
  template: string
  /** What the fields of the template say. */
  data: Readonly<Record<string, { value: string }>>
}

/** WeChat's server API. Each call settles within eight seconds, whatever WeChat and Redis do. */
export interface Wechat {
  /**
   * Draws a mini-program code (getUnlimitedQRCode). @param scene  1 to 32 characters; the page gets it as
   * `query.scene`
   */
  codeImage(scene: string): Promise<{ ok: true; image: CodeImage } | WechatFailure>
  /**
   * Gets an address that opens the page on the same phone (generateUrlLink, generateScheme). Only for
   * companies with a published mini-program.
   * @param scene  like a code's
   */
  link(scene: string | undefined, options: LinkOptions): Promise<{ ok: true; url: string } | WechatFailure>
  /**
   * Identifies the person of a `wx.login` code (code2Session). Each code works once, so after a failure get
   * another one.
   */
  session(jsCode: string): Promise<{ ok: true; openid: string; unionid?: string } | WechatFailure>
  /**
   * Gets the number of the person who pressed the button for it (getPhoneNumber). Each code works once.
   * Resolves with the number as in `+8613800138000`.
   */
  phoneNumber(code: string): Promise<{ ok: true; phoneNumber: string } | WechatFailure>
  /**
   * Sends a person a subscription message (subscribeMessage.send) that opens the page of the codes.
   * `rejected` if the person has not agreed to one, or has had it: each consent is good for one message.
   */
  notify(message: SubscriptionMessage): Promise<{ ok: true } | WechatFailure>
  /** Aborts running calls; later calls fail as unavailable. Redis stays open. */
  close(): void
}

/** Timeout of one call with all its tries. */
const DEADLINE_MS = 8_000
const TRIES = 3

const PAGE = /^[^/?][^?]*$/
const JS_CODE = /^[\x21-\x7e]{1,256}$/
const CODE_USED = 40163

const readGrant = jsonOf(
  v.object({
    access_token: v.pipe(v.string(), v.minLength(1)),
    expires_in: v.pipe(v.number(), v.integer(), v.minValue(1)),
  }),
)
// The session_key is dropped here: we do not need it, so it cannot leak.
const readSession = jsonOf(v.object({ openid: v.pipe(v.string(), v.minLength(1)), unionid: v.optional(v.string()) }))

const readDone = jsonOf(v.object({ errcode: v.literal(0) }))
/** How subscription messages name the versions of a mini-program. */
const STATES = { release: 'formal', trial: 'trial', develop: 'developer' } as const

const readPhone = jsonOf(
  v.object({
    phone_info: v.object({
      purePhoneNumber: v.pipe(v.string(), v.regex(/^\d{3,20}$/)),
      countryCode: v.pipe(v.union([v.string(), v.number()]), v.transform(String), v.regex(/^\d{1,4}$/)),
    }),
  }),
)
/**
 * Whether a failed try with a code that works once may be repeated. If WeChat does not answer, it may have
 * consumed the code, and a second try would report "used". That would blame the person, who can easily get
 * another code. So only a try that certainly had no effect is repeated.
 */
const hadNoEffect = (failed: Outcome<unknown>): boolean =>
  failed.kind === 'refused' || (failed.kind === 'unreachable' && !failed.sent)

/** The person has agreed to no message, or has had it. That is the usual answer, and no failure of a call. */
const NO_CONSENT = 43_101

/** @throws TypeError for an invalid address or page */
export const createWechat = (redis: RedisClients, options: WechatOptions): Wechat => {
  const { appid, secret, page, envVersion = 'release', timeoutMs = 3_000, onEvent = () => {} } = options
  if (!URL.canParse(options.api)) throw new TypeError('the address of the WeChat API is not a URL')
  if (!PAGE.test(page)) throw new TypeError('the page of the code must have no leading slash and no query')
  const base = options.api.replace(/\/+$/, '')
  const budget = createBudget(redis, appid)
  const closing = new AbortController()
  const tryMs = Math.min(timeoutMs, DEADLINE_MS)
  const late = unavailable('WeChat did not answer in time')
  const closed = unavailable('the WeChat client is closed')

  const report = (api: Request['api'], ms: number, outcome: Outcome<unknown>): void => {
    if (outcome.kind === 'answer') return onEvent({ kind: 'answered', api, ms })
    if (outcome.kind === 'body') return onEvent({ kind: 'unexpected', api, ms })
    if (outcome.kind === 'status') return onEvent({ kind: 'unexpected', api, ms, status: outcome.status })
    const { kind, ...detail } = outcome
    if ('errcode' in detail && detail.errcode === NO_CONSENT) return onEvent({ kind: 'answered', api, ms })
    if ('errcode' in detail) onEvent({ kind: 'refused', api, ms, ...detail })
    else onEvent({ kind: 'unreachable', api, ms, reason: detail.reason })
  }

  const tryOnce = async <T>(
    request: Request,
    read: (bytes: Buffer, json: unknown) => T | undefined,
  ): Promise<Outcome<T>> => {
    const started = performance.now()
    const signal = AbortSignal.any([request.signal, AbortSignal.timeout(tryMs)])
    const outcome = await send(base, { ...request, signal }, read)
    report(request.api, Math.round(performance.now() - started), outcome)
    return outcome
  }

  /**
   * Retries temporary failures, if that is safe. Resolves with the outcome of the last try and the number of
   * tries.
   */
  const insist = async <T>(
    signal: AbortSignal,
    once: () => Promise<Outcome<T>>,
    isSafe: (outcome: Outcome<T>) => boolean = () => true,
  ): Promise<{ outcome: Outcome<T>; tries: number }> => {
    for (let tries = 1; ; tries++) {
      const outcome = await once()
      const again = outcome.kind !== 'answer' && remedyOf(outcome) === 'retry' && isSafe(outcome) && tries < TRIES
      if (!again || !(await pause(tries, signal))) return { outcome, tries }
    }
  }

  const tokens = createAccessToken({
    redis,
    appid,
    secret,
    ask: (force_refresh, signal) =>
      tryOnce(
        { api: 'token', json: { grant_type: 'client_credential', appid, secret, force_refresh }, signal },
        readGrant,
      ),
    askMs: tryMs,
    onEvent,
    closing: closing.signal,
  })

  /** One call with the access token. An invalid token is renewed, once. */
  const authorised = async <T>(
    once: (query: { access_token: string }) => Promise<Outcome<T>>,
    signal: AbortSignal,
    isSafe?: (outcome: Outcome<T>) => boolean,
  ): Promise<{ ok: true; value: T } | WechatFailure> => {
    let token = await tokens.get()
    for (let renewed = false; ; renewed = true) {
      if (!token.ok) return token
      const query = { access_token: token.token }
      const { outcome } = await insist(signal, () => once(query), isSafe)
      if (outcome.kind === 'answer') return { ok: true, value: outcome.value }
      if (remedyOf(outcome) !== 'refresh' || renewed) return failureOf(outcome, 'unavailable')
      token = await tokens.renew(token.token)
    }
  }

  const draw = async (scene: string, signal: AbortSignal): ReturnType<Wechat['codeImage']> => {
    const json = { scene, page, check_path: envVersion === 'release', env_version: envVersion }
    const drawn = await authorised((query) => {
      // The call does not wait for the count and does not fail with it. The count only limits the refill of
      // the pool, and without Redis the refill stops anyway.
      budget.count().catch(() => {})
      return tryOnce({ api: 'code', query, json, signal }, readImage)
    }, signal)
    return drawn.ok ? { ok: true, image: drawn.value } : drawn
  }

  const makeLink = async (
    scene: string | undefined,
    link: LinkOptions,
    signal: AbortSignal,
  ): ReturnType<Wechat['link']> => {
    const { api, json, read } = linkCall(link, { page, scene, envVersion }, Date.now())
    const made = await authorised((query) => tryOnce({ api, query, json, signal }, read), signal)
    return made.ok ? { ok: true, url: made.value } : made
  }

  const recognise = async (js_code: string, signal: AbortSignal): ReturnType<Wechat['session']> => {
    const query = { appid, secret, js_code, grant_type: 'authorization_code' }
    const { outcome, tries } = await insist(
      signal,
      () => tryOnce({ api: 'session', query, signal }, readSession),
      hadNoEffect,
    )
    if (outcome.kind === 'answer') return { ok: true, ...outcome.value }
    // A "busy" answer may have consumed the code after all: nobody else can have used it since.
    if (outcome.kind === 'refused' && outcome.errcode === CODE_USED && tries > 1)
      return { ...unavailable('WeChat used up the login code while it was busy'), errcode: CODE_USED }
    return failureOf(outcome, 'misconfigured')
  }

  const askPhone = async (code: string, signal: AbortSignal): ReturnType<Wechat['phoneNumber']> => {
    let tries = 0
    const once = (query: { access_token: string }) => {
      tries++
      return tryOnce({ api: 'phone', query, json: { code }, signal }, readPhone)
    }
    const asked = await authorised(once, signal, hadNoEffect)
    // Like a login code: a "busy" answer may have consumed it after all.
    if (!asked.ok && asked.kind === 'rejected' && tries > 1)
      return { ...asked, kind: 'unavailable', message: `${asked.message}, perhaps used up while WeChat was busy` }
    if (!asked.ok) return asked
    const { countryCode, purePhoneNumber } = asked.value.phone_info
    return { ok: true, phoneNumber: `+${countryCode}${purePhoneNumber}` }
  }

  const tell = async (
    { openid: touser, template: template_id, data }: SubscriptionMessage,
    signal: AbortSignal,
  ): ReturnType<Wechat['notify']> => {
    const miniprogram_state = STATES[envVersion]
    const json = { touser, template_id, page, data, miniprogram_state }
    const once = (query: { access_token: string }) => tryOnce({ api: 'notify', query, json, signal }, readDone)
    // A second message would use up another consent of the person.
    const sent = await authorised(once, signal, hadNoEffect)
    return sent.ok ? { ok: true } : sent
  }

  const inTime = async <T>(work: (signal: AbortSignal) => Promise<T | WechatFailure>): Promise<T | WechatFailure> => {
    if (closing.signal.aborted) return closed
    const signal = AbortSignal.any([closing.signal, AbortSignal.timeout(DEADLINE_MS)])
    return within<T | WechatFailure>(signal, work(signal), late)
  }

  return {
    codeImage: async (scene) =>
      isScene(scene)
        ? inTime((signal) => draw(scene, signal))
        : misconfigured('the scene must be 1 to 32 of the characters that WeChat accepts'),
    link: async (scene, link) => {
      if (scene !== undefined && !isScene(scene))
        return misconfigured('the scene must be 1 to 32 of the characters that WeChat accepts')
      if (!isLinkLife(link.seconds)) return misconfigured('a link must live longer than a minute and at most 30 days')
      return inTime((signal) => makeLink(scene, link, signal))
    },
    session: async (jsCode) =>
      JS_CODE.test(jsCode)
        ? inTime((signal) => recognise(jsCode, signal))
        : rejected('this is no login code of WeChat'),
    phoneNumber: async (code) =>
      JS_CODE.test(code)
        ? inTime((signal) => askPhone(code, signal))
        : rejected('this is no phone number code of WeChat'),
    notify: (message) => inTime((signal) => tell(message, signal)),
    close: () => closing.abort(),
  }
}
