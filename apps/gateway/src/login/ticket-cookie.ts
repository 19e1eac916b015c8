import { parseTicket, ticketOf } from '@saoma/protocol'
import type { Context } from '../transport/http/context.ts'

const name = (ticket: string) => `saoma_${ticket}`

/**
 * Binds a ticket to the browser that made it, for clients whose requests carry nothing but cookies (WeChat's
 * script formats). One cookie a ticket, so that no page can pass its own ticket off as another's; strict, so
 * that no foreign page can use it.
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
    // Not ctx.cookies, which keeps a pattern for every name it was ever asked for; ours are endless.
    const start = `${name(ticket)}=`
    const pair = ctx
      .get('Cookie')
      .split('; ')
      .find((entry) => entry.startsWith(start))
    return pair?.slice(start.length)
  },
}
