import { randomBytes, randomUUID } from 'node:crypto'
import { ticketOf } from '@saoma/protocol'
import type { Tickets } from '@saoma/tickets'
import { batches } from './numbers.ts'
import { OWNER } from './worker-commands.ts'

/** Concurrent calls to Redis. */
const AT_ONCE = 200
const DEVICE_CODE_LENGTH = 65

const random = (length: number) => randomBytes(length).toString('base64url').slice(0, length)

const request = () => ({ app: 'Bench', ip: '127.0.0.1', browser: 'Bench 1', os: 'Linux', userCode: randomUUID() })

/** Creates tickets as the device authorization endpoint does. Returns their device codes. */
export const createCodes = async (tickets: Tickets, count: number): Promise<string[]> => {
  const codes = Array.from({ length: count }, () => random(DEVICE_CODE_LENGTH))
  for (const batch of batches(codes, AT_ONCE))
    await Promise.all(
      batch.map(async (deviceCode) => {
        const created = await tickets.create({ deviceCode, request: request(), authorization })
        if (!created.ok) throw new Error(`a ticket could not be created: ${created.code}`)
      }),
    )
  return codes
}

/** Scans tickets as a phone does. The next step is the confirmation. */
export const scanAll = async (tickets: Tickets, ids: readonly string[]): Promise<readonly string[]> => {
  for (const batch of batches(ids, AT_ONCE))
    await Promise.all(
      batch.map(async (ticket) => {
        const scanned = await tickets.scan(ticket, OWNER)
        if (!scanned.ok) throw new Error(`a ticket could not be scanned: ${scanned.code}`)
      }),
    )
  return ids
}

/** Tickets that a phone has scanned. */
export const createScanned = async (tickets: Tickets, count: number): Promise<readonly string[]> =>
  scanAll(tickets, (await createCodes(tickets, count)).map(ticketOf))

/** Room names for servers without tickets. */
export const createNames = (count: number): string[] => Array.from({ length: count }, () => random(22))

/** About as long as the record that the OAuth layer keeps with a ticket. */
const authorization = JSON.stringify({
  payload: {
    kind: 'DeviceCode',
    clientId: 'web',
    params: { client_id: 'web', scope: 'openid profile offline_access' },
  },
  sid: random(22),
})
