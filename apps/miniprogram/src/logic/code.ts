import { parsePooledScene, parseTicket } from '@saoma/protocol'
import type { Entry, Warning } from './login-screen.ts'

/** What a code says. `none`: there is no code. `unknown`: it is none of ours. */
export type Code =
  | { kind: 'ticket'; ticket: string }
  | { kind: 'pooled'; scene: string }
  | { kind: 'none' }
  | { kind: 'unknown' }

/** @param delivered  `query.scene`, which WeChat encodes as a part of an URL */
export const readCode = (delivered: string | undefined): Code => {
  if (!delivered) return { kind: 'none' }
  const scene = decoded(delivered)
  const ticket = parseTicket(scene)
  if (ticket.ok) return { kind: 'ticket', ticket: ticket.value }
  const pooled = parsePooledScene(scene)
  return pooled.ok ? { kind: 'pooled', scene: pooled.value } : { kind: 'unknown' }
}

const decoded = (text: string): string | undefined => {
  try {
    return decodeURIComponent(text)
  } catch {
    return undefined // Not what an encoder makes.
  }
}

/** WeChat's numbers for the ways in that can bring a code: of mini-program codes, and of ordinary ones. */
const CAMERA: readonly number[] = [1047, 1011]
const LONG_PRESS: readonly number[] = [1048, 1012]
const ALBUM: readonly number[] = [1049, 1013]
/** URL Scheme, URL Link, and a link within WeChat's own browser. */
const LINK: readonly number[] = [1065, 1194, 1167]

/**
 * What there is to fear of a code that came this way. Whatever is not known to be a camera may have been sent
 * by anybody.
 */
export const warningOf = ({ launchScene }: Pick<Entry, 'launchScene'>, sameNetwork: boolean): Warning | undefined => {
  if (CAMERA.includes(launchScene)) return undefined
  if (ALBUM.includes(launchScene)) return 'album'
  if (LONG_PRESS.includes(launchScene)) return 'long-press'
  if (LINK.includes(launchScene)) return sameNetwork ? 'link' : 'link-elsewhere'
  return 'forwarded'
}

/** What keyboards make of digits and capitals: full width ones, spaces around them. */
export const typed = (text: string): string =>
  // By hand: not every phone's WeChat has what is behind `normalize`.
  text
    .replace(/[\uff01-\uff5e]/g, (wide) => String.fromCharCode(wide.charCodeAt(0) - 0xfee0))
    .trim()
    .toUpperCase()
