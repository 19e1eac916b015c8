import * as v from 'valibot'
import { readImage } from './code-image.ts'
import { failureOf, type WechatFailure } from './failure.ts'
import { jsonOf, paths, type Request, send } from './request.ts'
import type { WechatOptions } from './wechat.ts'

export interface InspectOptions extends Omit<WechatOptions, 'onEvent'> {
  /** The APIs whose quota is asked for. */
  quotasOf: readonly ('code' | 'link' | 'scheme')[]
  /** Ends every call. */
  signal: AbortSignal
}

/** How often an API may be called, as WeChat says it. */
export interface Quota {
  api: 'code' | 'link' | 'scheme'
  /** Calls of one day, which begins at midnight in China. Undefined if WeChat names no limit. */
  day?: { limit: number; used: number; left: number }
  /** Most calls in so many seconds. */
  rate?: { calls: number; seconds: number }
}

/** What WeChat said. A part that was not asked for is undefined. */
export interface Inspection {
  token: { ok: true } | WechatFailure
  /** Whether a code for the page could be drawn. Asked only about pages of the published release. */
  page?: { ok: true } | WechatFailure
  quotas: ({ ok: true; quota: Quota } | (WechatFailure & { api: Quota['api'] }))[]
}

/** Nobody ever sees the code with this scene. */
const SCENE = 'saoma-doctor'

const readToken = jsonOf(v.object({ access_token: v.pipe(v.string(), v.minLength(1)) }))
const Count = v.pipe(v.number(), v.minValue(0))
const readQuota = jsonOf(
  v.object({
    quota: v.object({ daily_limit: Count, used: Count, remain: Count }),
    rate_limit: v.optional(v.object({ call_count: Count, refresh_second: Count })),
  }),
)

/**
 * Asks WeChat whether the credentials, the page and the quota are good. It asks WeChat directly and leaves
 * Redis alone, so a token that the nodes share cannot hide that the secret has been changed. `stable_token`
 * without `force_refresh` gives every caller the same token, so the nodes' token stays valid. It draws one
 * code, because WeChat has no other way to ask whether a page is published. Never rejects.
 */
export const inspectWechat = async (options: InspectOptions): Promise<Inspection> => {
  const { appid, secret, page, envVersion = 'release', timeoutMs = 3_000, quotasOf, signal } = options
  const base = options.api.replace(/\/+$/, '')
  const ask = async <T>(
    request: Omit<Request, 'signal'>,
    read: (bytes: Buffer, json: unknown) => T | undefined,
  ): Promise<{ ok: true; value: T } | WechatFailure> => {
    const outcome = await send(
      base,
      { ...request, signal: AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]) },
      read,
    )
    return outcome.kind === 'answer' ? { ok: true, value: outcome.value } : failureOf(outcome, 'misconfigured')
  }

  const granted = await ask(
    { api: 'token', json: { grant_type: 'client_credential', appid, secret, force_refresh: false } },
    readToken,
  )
  if (!granted.ok) return { token: granted, quotas: [] }
  const query = { access_token: granted.value.access_token }

  const lookAtPage = async (): Promise<Inspection['page']> => {
    const json = { scene: SCENE, page, check_path: true, env_version: envVersion }
    const drawn = await ask({ api: 'code', query, json }, readImage)
    return drawn.ok ? { ok: true } : drawn
  }
  const quotaOf = async (api: Quota['api']): Promise<Inspection['quotas'][number]> => {
    const told = await ask({ api: 'quota', query, json: { cgi_path: paths[api] } }, readQuota)
    if (!told.ok) return { ...told, api }
    const { quota, rate_limit: rate } = told.value
    return {
      ok: true,
      quota: {
        api,
        // WeChat's own example of an API without a limit of the day has zeros.
        ...(quota.daily_limit > 0 ? { day: { limit: quota.daily_limit, used: quota.used, left: quota.remain } } : {}),
        ...(rate && rate.call_count > 0 ? { rate: { calls: rate.call_count, seconds: rate.refresh_second } } : {}),
      },
    }
  }
  const [found, quotas] = await Promise.all([
    envVersion === 'release' ? lookAtPage() : undefined,
    Promise.all(quotasOf.map(quotaOf)),
  ])
  return { token: { ok: true }, ...(found ? { page: found } : {}), quotas }
}
