import { type Inspection, inspectWechat, type Quota, type WechatFailure } from '@saoma/wechat'
import type { Config } from '../config/config.ts'
import type { Check, Subject } from './check.ts'
import type { Finding } from './finding.ts'
import { error, needsSettings, ok, sentence, skipped, warning } from './findings.ts'

type Wechat = NonNullable<Config['wechat']>

/** Share of a day's calls below which there is little left. */
const LITTLE = 0.1

const whatOf = (api: Quota['api']): string => (api === 'code' ? 'codes' : 'links into WeChat')

/** An operator has to act on a misconfiguration; anything else passes, or is unknown. */
const failed = (code: string, what: string, { kind, message }: WechatFailure, todo: string): Finding =>
  (kind === 'misconfigured' ? error : warning)(code, sentence(`${what}: ${message}`), todo)

const credentialsOf = ({ token }: Inspection, { appid, api }: Wechat): Finding =>
  token.ok
    ? ok('wechat-credentials', `WeChat takes the credentials of ${appid} (${new URL(api).host}).`)
    : failed(
        'wechat-credentials',
        `WeChat gives ${appid} no access token`,
        token,
        'Compare WECHAT_APPID, WECHAT_SECRET and the list of IP addresses with mp.weixin.qq.com, Development.',
      )

const pageOf = ({ page: found }: Inspection, { page, envVersion }: Wechat): Finding[] => {
  if (envVersion !== 'release')
    return [
      warning(
        'wechat-version',
        `Codes open the ${envVersion} version of the mini-program, which only its testers can open.`,
        'Publish the mini-program and set WECHAT_ENV_VERSION=release.',
      ),
      skipped(
        'wechat-page',
        `Whether ${page} exists was not asked: WeChat knows only the pages of the published release.`,
        'Look again with WECHAT_ENV_VERSION=release.',
      ),
    ]
  if (!found) return []
  return [
    found.ok
      ? ok('wechat-page', `WeChat draws codes for the page ${page} of the published release.`)
      : failed(
          'wechat-page',
          `WeChat draws no code for the page ${page}`,
          found,
          'Publish a version of the mini-program that has the page, or correct WECHAT_PAGE.',
        ),
  ]
}

const quotaOf = (told: Inspection['quotas'][number]): Finding => {
  if (!told.ok)
    return skipped(
      'wechat-quota',
      sentence(`WeChat does not say how many ${whatOf(told.api)} are left today: ${told.message}`),
      'Look at mp.weixin.qq.com, Development, API quotas.',
    )
  const { api, day, rate } = told.quota
  const pace = rate ? `, at most ${rate.calls} in ${rate.seconds} s` : ''
  if (!day) return ok('wechat-quota', `WeChat names no limit of a day for ${whatOf(api)}${pace}.`)
  const says = `${day.left} of ${day.limit} calls for ${whatOf(api)} are left today${pace}`
  const todo =
    api === 'code'
      ? 'Wait for midnight in China, keep codes in reserve (SAOMA_CODES=fresh-then-pool), or ask WeChat for more.'
      : 'Wait for midnight in China, set WECHAT_LINK=none, or ask WeChat for more.'
  if (day.left <= 0) return error('wechat-quota', `${says}: WeChat refuses until midnight in China.`, todo)
  if (day.left < day.limit * LITTLE) return warning('wechat-quota', `${says}.`, todo)
  return ok('wechat-quota', `${says}.`)
}

/**
 * Asks WeChat whether the credentials, the page and the quota are good. It gets the access token that the
 * nodes have too, and draws one code.
 */
export const wechatCheck: Check = {
  name: 'wechat',
  run: async ({ config, signal }: Subject) => {
    if (!config) return needsSettings('WeChat was')
    const { wechat } = config
    if (!wechat)
      return [
        skipped(
          'wechat-credentials',
          'WeChat was not asked: there are no credentials.',
          'Set WECHAT_APPID and WECHAT_SECRET if people shall log in with WeChat.',
        ),
      ]
    const { link, ...options } = wechat
    const inspection = await inspectWechat({
      ...options,
      quotasOf: ['code', ...(link === 'none' ? [] : [link])],
      signal,
    })
    return [
      credentialsOf(inspection, wechat),
      ...(inspection.token.ok ? pageOf(inspection, wechat) : []),
      ...inspection.quotas.map(quotaOf),
    ]
  },
}
