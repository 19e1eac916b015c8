import { randomBytes } from 'node:crypto'
import type { Clock } from './clock.ts'

export interface LinkTarget {
  /** Without a leading slash. */
  page: string
  /** As the mini-program gets it, still percent-encoded. */
  query: string
  env_version: string
}

/** What WeChat opens the mini-program with; `scene` is the number of the way in. */
export interface Opened {
  path: string
  query: Record<string, string>
  scene: number
}

/** Links remembered. */
const KEPT = 1_000
/** Numbers of the ways in: a link from outside WeChat, the same inside it, a scheme. */
const SCENES = { link: 1194, linkInWechat: 1167, scheme: 1065 }

/** Both kinds of address that open a page of the mini-program. */
export const createLinks = (clock: Clock) => {
  const made = new Map<string, { kind: 'link' | 'scheme'; target: LinkTarget; until: number }>()
  let count = 0

  return {
    count: (): number => count,

    /** @param until  milliseconds since 1970 */
    add: (kind: 'link' | 'scheme', target: LinkTarget, until: number): string => {
      const url =
        kind === 'link'
          ? `https://wxaurl.cn/${randomBytes(8).toString('base64url')}`
          : `weixin://dl/business/?t=${randomBytes(8).toString('base64url')}`
      made.set(url, { kind, target, until })
      count++
      const oldest = made.keys().next().value
      if (made.size > KEPT && oldest) made.delete(oldest)
      return url
    },

    /** What a tap on it does, or why it does nothing. */
    open: (url: string, inWechat: boolean): Opened | 'unknown' | 'expired' => {
      const link = made.get(url)
      if (!link) return 'unknown'
      if (link.until <= clock.now()) return 'expired'
      const { kind, target } = link
      // A mini-program gets its query cut at & and =, and not decoded.
      const query = target.query.split('&').flatMap((pair) => {
        const [name = '', ...value] = pair.split('=')
        return name ? [[name, value.join('=')]] : []
      })
      return {
        path: target.page,
        query: Object.fromEntries(query),
        scene: kind === 'scheme' ? SCENES.scheme : inWechat ? SCENES.linkInWechat : SCENES.link,
      }
    },
  }
}

export type Links = ReturnType<typeof createLinks>
