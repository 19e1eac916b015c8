import { parseTicket, ticketOf } from '@saoma/protocol'
import type { Context } from '../transport/http/context.ts'

const name = (ticket: string) => `saoma_${ticket}`

/**
 * Binds a ticket to the browser that created it, for clients whose requests carry only cookies (WeChat's
 * script formats). Each ticket has its own cookie, so that a page cannot pass its own ticket off as another.
 * The cookie is SameSite=Strict, so that no foreign page can use it.
 */
export const ticketCookie = {
  set: (ctx: Context, deviceCode: string, maxAgeSeconds: number, secure: boolean): void => {
    ctx.append(
      'Set-Cookie',
      `${name(ticketOf(deviceCode))}=${deviceCode}; Path=/; Max-Age=${maxAgeSeconds}; HttpOnly; SameSite=Strict${secure ? '; Secure' : ''}`,
    )
  },
  read: (ctx: Context, ticket: string): string | undefined => {
    if (!parseTicket(ticket).ok) return undefined
    // Do not use ctx.cookies: it caches a regular expression for every name, and our names are unlimited.
    const start = `${name(ticket)}=`
    const pair = ctx
      .get('Cookie')
      .split('; ')
      .find((entry) => entry.startsWith(start))
    return pair?.slice(start.length)
  },
}
