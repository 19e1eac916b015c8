import { randomBytes } from 'node:crypto'
import type { Clock } from './clock.ts'

export interface LinkTarget {
  /** Without a leading slash. */
  page: string
  /** The query that the mini-program receives, still percent-encoded. */
  query: string
  env_version: string
}

/** What WeChat opens the mini-program with. `scene` is the number for how it was opened. */
export interface Opened {
  path: string
  query: Record<string, string>
  scene: number
}

/** Number of links that are stored. */
const KEPT = 1_000
/** WeChat's numbers for how it was opened: a link outside WeChat, a link inside it, a scheme. */
const SCENES = { link: 1194, linkInWechat: 1167, scheme: 1065 }

/** Both kinds of addresses that open a page of the mini-program. */
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

    /** The effect of a tap on the link, or why it has none. */
    open: (url: string, inWechat: boolean): Opened | 'unknown' | 'expired' => {
      const link = made.get(url)
      if (!link) return 'unknown'
      if (link.until <= clock.now()) return 'expired'
      const { kind, target } = link
      // WeChat splits the query at & and =, and does not decode it.
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
