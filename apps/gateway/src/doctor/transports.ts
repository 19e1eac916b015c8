import type { Check } from './check.ts'
import { probeEventStream } from './event-stream.ts'
import type { Finding } from './finding.ts'
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
  run: async (subject, find = () => {}) => {
    const code = 'transports'
    const missing = await absence(code, 'WebSockets, polling and event streams were not tried', subject)
    if (missing) return [missing]
    const origin = originOf(subject) ?? ''
    const { signal } = subject
    const tell = async (probe: Promise<Finding[]>): Promise<Finding[]> => {
      const findings = await probe
      find(...findings)
      return findings
    }
    const held = async () => {
      const ticket = await makeTicket(origin, signal)
      if ('code' in ticket) return tell(Promise.resolve([ticket]))
      return (await Promise.all([tell(probeEventStream(ticket, signal)), tell(probeLongPoll(ticket, signal))])).flat()
    }
    const found = await Promise.all([tell(probeWebSockets(origin, signal)), tell(probePolling(origin, signal)), held()])
    // In the same order each time, whatever was ready first.
    return found.flat()
  },
}
