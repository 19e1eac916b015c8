import * as v from 'valibot'
import { jsonOf, type Request } from './request.ts'

export interface LinkOptions {
  /**
   * `link` is an https address that any browser can open and that leads to WeChat. `scheme` (weixin://) opens
   * WeChat directly, if the browser allows it.
   */
  kind: 'link' | 'scheme'
  /**
   * Lifetime in seconds: more than a minute, at most 30 days. Our clock and WeChat's may differ, so add a
   * margin.
   */
  seconds: number
}

/** The target of a link. */
export interface LinkTarget {
  page: string
  /** Undefined: the page without a scene. */
  scene: string | undefined
  envVersion: 'release' | 'trial' | 'develop'
}

/** How to request one kind of link, and how to read the answer. */
export interface LinkCall {
  api: Request['api']
  json: object
  read: (bytes: Buffer, json: unknown) => string | undefined
}

const LEAST_SECONDS = 60
const MOST_SECONDS = 30 * 86_400

export const isLinkLife = (seconds: number): boolean =>
  Number.isInteger(seconds) && seconds > LEAST_SECONDS && seconds <= MOST_SECONDS

// A page uses it as an href, so reject anything but https.
const readLink = jsonOf(v.object({ url_link: v.pipe(v.string(), v.url(), v.startsWith('https://')) }))
const readScheme = jsonOf(v.object({ openlink: v.pipe(v.string(), v.url(), v.startsWith('weixin://')) }))

/**
 * Builds the call for either kind; only the place of path and query differs. @param now  milliseconds since
 * 1970
 */
export const linkCall = ({ kind, seconds }: LinkOptions, target: LinkTarget, now: number): LinkCall => {
  const place = {
    path: target.page,
    query: target.scene === undefined ? '' : `scene=${encodeURIComponent(target.scene)}`,
    env_version: target.envVersion,
  }
  // Older documentation requires `is_expire`. The present one no longer lists it, but its examples still have
  // it.
  const expiry = { is_expire: true, expire_type: 0, expire_time: Math.floor(now / 1000) + seconds }
  return kind === 'link'
    ? { api: 'link', json: { ...place, ...expiry }, read: (bytes, json) => readLink(bytes, json)?.url_link }
    : { api: 'scheme', json: { jump_wxa: place, ...expiry }, read: (bytes, json) => readScheme(bytes, json)?.openlink }
}
