import type { Audit } from '@saoma/audit'
import type { Result, TicketState } from '@saoma/protocol'
import type { Tickets } from '@saoma/tickets'
import { LRUCache } from 'lru-cache'
import type { Metrics } from '../operate/metrics.ts'
import { REPEATED_MS } from './audited.ts'

/** Tickets whose end this node has noted. A client may read an expired ticket again and again. */
const MOST_NOTED = 10_000

/**
 * The same tickets, of which each one is noted that was seen to expire. Nothing happens when a ticket
 * expires, so it is noted when a browser that waits for it learns of it.
 */
export const noteExpired = (tickets: Tickets, { note }: Pick<Audit, 'note'>): Tickets => {
  const noted = new LRUCache<string, true>({ max: MOST_NOTED })
  const see = ({ ticket, status }: TicketState): void => {
    if (status !== 'expired' || noted.has(ticket)) return
    noted.set(ticket, true)
    note({ kind: 'login.expired', ticket }, { once: { name: `expired.${ticket}`, ms: REPEATED_MS } })
  }
  const seen = (result: Result<TicketState>): Result<TicketState> => {
    if (result.ok) see(result.value)
    return result
  }
  return {
    ...tickets,
    read: async (deviceCode) => seen(await tickets.read(deviceCode)),
    wait: async (deviceCode, after, options) => seen(await tickets.wait(deviceCode, after, options)),
    follow: async function* (deviceCode, after, signal) {
      for await (const state of tickets.follow(deviceCode, after, signal)) {
        see(state)
        yield state
      }
    },
  }
}

/**
 * Notes a ticket that too many accounts have scanned. Its owner can read that: somebody has shown the same
 * code to others.
 */
export const noteVoid =
  ({ note }: Pick<Audit, 'note'>, { transitions }: Pick<Metrics, 'transitions'>) =>
  (ticket: string, owner: string | undefined): void => {
    transitions.inc({ state: 'void' })
    note({ kind: 'login.void', ticket, by: 'saoma', reason: 'TICKET_VOID', ...(owner ? { person: owner } : {}) })
  }
