import { ticketOf } from '@saoma/protocol'
import type { Context } from 'koa'

const name = (ticket: string) => `saoma_${ticket}`

/**
 * Binds a ticket to the browser that made it, for clients whose requests carry nothing but cookies (WeChat's script formats).
 * One cookie a ticket, so that no page can pass its own ticket off as another's; strict, so that no foreign page can use it.
 */
export const ticketCookie = {
  set: (ctx: Context, deviceCode: string, maxAgeSeconds: number, secure: boolean): void => {
    ctx.append(
      'Set-Cookie',
      `${name(ticketOf(deviceCode))}=${deviceCode}; Path=/; Max-Age=${maxAgeSeconds}; HttpOnly; SameSite=Strict${secure ? '; Secure' : ''}`,
    )
  },
  read: (ctx: Context, ticket: string): string | undefined => ctx.cookies.get(name(ticket)),
}
