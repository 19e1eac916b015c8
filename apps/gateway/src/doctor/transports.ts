import type { Check } from './check.ts'
import { probeEventStream } from './event-stream.ts'
import { probeLongPoll } from './long-poll.ts'
import { probePolling } from './polling.ts'
import { absence, originOf } from './presence.ts'
import { makeTicket } from './ticket.ts'
import { probeWebSockets } from './web-sockets.ts'

/**
 * Whether each transport passes through the proxy. All probes run at the same time, and the longest takes
 * 15 s.
 */
export const transports: Check = {
  name: 'transports',
  run: async (subject) => {
    const code = 'transports'
    const missing = await absence(code, 'WebSockets, polling and event streams were not tried', subject)
    if (missing) return [missing]
    const origin = originOf(subject) ?? ''
    const { signal } = subject
    const held = async () => {
      const ticket = await makeTicket(origin, signal)
      if ('code' in ticket) return [ticket]
      return (await Promise.all([probeEventStream(ticket, signal), probeLongPoll(ticket, signal)])).flat()
    }
    const found = await Promise.all([probeWebSockets(origin, signal), probePolling(origin, signal), held()])
    return found.flat()
  },
}
