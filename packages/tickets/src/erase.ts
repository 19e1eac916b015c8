import { parseTicket } from '@saoma/protocol'
import { type RedisClients, scriptsIn } from '@saoma/redis'

const erase = scriptsIn('tickets', new URL('../lua/', import.meta.url))<[ticket: string], [sub: string], boolean>(
  'erase',
  1,
  (raw) => raw === 1,
  // It frees memory.
  { allowOom: true },
)

/**
 * Deletes a ticket, if this person owns it. Its page finds nothing when it reads the ticket again. Needs a
 * Redis and no node. Resolves with whether it was there. Rejects with RedisUnavailable.
 */
export const eraseTicket = async (
  { data, keys }: Pick<RedisClients, 'data' | 'keys'>,
  ticket: string,
  sub: string,
): Promise<boolean> => parseTicket(ticket).ok && erase(data, [keys.ticket(ticket)], [sub])
