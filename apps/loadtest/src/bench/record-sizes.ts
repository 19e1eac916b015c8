import { setTimeout as delay } from 'node:timers/promises'
import type { DeviceAuthorization } from '@saoma/protocol'
import { createRedis } from '@saoma/redis'
import { confirm, createTicket, onCleanup, phoneToken, redeem, scan, startGateway, startRedis } from '@saoma/testing'
import { browserHeaders } from './client.ts'
import { ORIGIN } from './footprint.ts'
import { batches, sum } from './numbers.ts'

/** What one kind of key takes in Redis. */
export interface RecordSize {
  kind: string
  /** How many were measured. */
  keys: number
  /** Bytes of one with its name, as `MEMORY USAGE` counts them: the mean. */
  bytes: number
  /** Whether it lasts as long as the session. */
  lasts: boolean
}

/**
 * For half a minute a new node writes the form of the version before, in case that a node of that is there.
 */
const SETTLE_MS = 35_000
/** People, each with one login. */
const PEOPLE = 300
const AT_ONCE = 20
/** As a page of that browser sends it: the list of sessions names the browser. */
const headers = { 'User-Agent': browserHeaders(ORIGIN)['User-Agent'] ?? '' }

/** The keys that a waiting code and a login leave in Redis, by their kind, after real logins. */
export const measureRecords = async (): Promise<RecordSize[]> => {
  const server = await startRedis()
  const gateway = await startGateway({ redisUrl: server.url, nodeId: 'bench', origin: ORIGIN })
  const { data, keys, close } = await createRedis({ url: server.url, name: 'bench', probeMs: 0 })
  const forget = onCleanup(close)
  const { origin } = gateway

  const everybody = async <T>(act: (i: number) => Promise<T>): Promise<T[]> => {
    const done: T[] = []
    for (const batch of batches([...Array(PEOPLE).keys()], AT_ONCE)) done.push(...(await Promise.all(batch.map(act))))
    return done
  }
  const sizeOf = async (kind: string, pattern: string, lasts = false): Promise<RecordSize> => {
    const names = await data.keys(pattern)
    const sizes = await Promise.all(
      names.map(async (name) => Number(await data.call('MEMORY', 'USAGE', name, 'SAMPLES', '0'))),
    )
    return { kind, keys: names.length, bytes: sum(sizes) / names.length, lasts }
  }

  const login = async (i: number, { ticket = '', device_code: code = '' }: Partial<DeviceAuthorization>) => {
    const phone = await phoneToken(origin, `person-${i}`)
    await scan(origin, ticket, phone)
    await confirm(origin, ticket, phone)
    const { status } = await redeem(origin, code)
    if (status !== 200) throw new Error(`a login was answered ${status}`)
  }
  await delay(SETTLE_MS)

  const codes = await everybody(() => createTicket(origin, { headers }))
  const ticket = await sizeOf('waiting ticket', keys.ticket('*'))
  const typed = await sizeOf('its typed code', keys.userCode('*'))
  await everybody((i) => login(i, codes[i] ?? {}))
  const sizes = [
    ticket,
    typed,
    await sizeOf('grant', keys.oidc('Grant', '*'), true),
    await sizeOf('refresh token', keys.oidc('RefreshToken', '*'), true),
    await sizeOf('list of sessions', keys.sessions('*'), true),
    await sizeOf('account', keys.account('*')),
  ]

  await gateway.stop()
  forget()
  await close()
  await server.stop()
  return sizes
}
