import { parsePooledScene, parseTicket } from '@saoma/protocol'
import type { Entry, Warning } from './login-screen.ts'

/** The content of a code. `none`: there is no code. `unknown`: the code is not Saoma's. */
export type Code =
  | { kind: 'ticket'; ticket: string }
  | { kind: 'pooled'; scene: string }
  | { kind: 'none' }
  | { kind: 'unknown' }

/** @param delivered  `query.scene`, which WeChat encodes as a URL component */
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
    return undefined // No encoder produces this.
  }
}

/** WeChat's numbers for opening by a camera: mini-program codes, and ordinary QR codes. */
const CAMERA: readonly number[] = [1047, 1011]
const LONG_PRESS: readonly number[] = [1048, 1012]
const ALBUM: readonly number[] = [1049, 1013]
/** URL Scheme, URL Link, and a link in WeChat's own browser. */
const LINK: readonly number[] = [1065, 1194, 1167]

/** The warning for a code that arrived in this way. Unless a camera read it, anybody may have sent it. */
export const warningOf = ({ launchScene }: Pick<Entry, 'launchScene'>, sameNetwork: boolean): Warning | undefined => {
  if (CAMERA.includes(launchScene)) return undefined
  if (ALBUM.includes(launchScene)) return 'album'
  if (LONG_PRESS.includes(launchScene)) return 'long-press'
  if (LINK.includes(launchScene)) return sameNetwork ? 'link' : 'link-elsewhere'
  return 'forwarded'
}

/** Undoes what keyboards make of digits and capitals: full-width characters, and spaces around them. */
export const typed = (text: string): string =>
  // By hand, because WeChat on some phones lacks the data behind `normalize`.
  text
    .replace(/[\uff01-\uff5e]/g, (wide) => String.fromCharCode(wide.charCodeAt(0) - 0xfee0))
    .trim()
    .toUpperCase()
