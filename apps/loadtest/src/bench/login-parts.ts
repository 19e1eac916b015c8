import { generateKeyPairSync, randomBytes, sign, verify } from 'node:crypto'
import { createAudit } from '@saoma/audit'
import { createRedis, orUnavailable } from '@saoma/redis'
import { createTickets } from '@saoma/tickets'
import { jwtVerify, SignJWT } from 'jose'
import { obey } from './child.ts'
import type { Login, Step } from './login-walk.ts'
import { openLoop } from './open-loop.ts'

/**
 * The Redis and ES256 work of a login, each part alone: `login-parts.ts <redis url>`. The scripts are those
 * of the nodes. The other records match the real ones in number and length.
 */
export type PartsOrder =
  /** Creates this many fresh logins. Each step below advances each of them. */
  | { do: 'prepare'; count: number }
  | { do: 'step'; step: Step | Noted | 'nothing'; perSecond: number }
  | { do: 'crypto'; how: Crypto; count: number }
export type Crypto = 'sign' | 'verify' | 'jose sign' | 'jose verify'
export type PartsAnswer = { did: 'start' } | { did: 'prepare' } | { did: 'step' } | { did: 'crypto' }

/** What the browser's and the phone's node note in the audit of each login: two entries each. */
export type Noted = 'note browser' | 'note phone'

type Ours = Pick<Login, 'deviceCode' | 'ticket'> & { sub: string }

const redis = await createRedis({ url: process.argv[2] ?? '', name: 'bench' })
const { data, keys, subscriber } = redis
const tickets = createTickets(redis)
const audit = createAudit(redis, {
  node: 'a',
  secrets: ['a secret of benchmarks, which nobody keeps'],
  entries: 100_000,
  keepMs: 90 * 86_400_000,
})

/**
 * About as long as the real records: the provider's for a code, a grant and a refresh token, and a session's
 * entry in the person's list.
 */
const LENGTHS = { authorization: 380, grant: 120, refreshToken: 110, session: 160 }
const MINUTE = 60

const random = (bytes: number) => randomBytes(bytes).toString('base64url')
const place = { ip: '127.0.0.1', browser: 'Chrome 140', os: 'Linux' }
const once = (name: string) => ({ name, ms: 600_000 })
const browser = { app: 'Saoma', ip: '127.0.0.1', browser: 'Chrome 140', os: 'Linux' }

/** A record with its TTL, in one command. */
const keep = (key: string, length: number) => data.set(key, 'x'.repeat(length), 'EX', MINUTE)

/** A listener that ignores everything: only the subscription is measured. */
const nobody = { hear: () => {} }

const acts = {
  create: async ({ deviceCode }: Ours) => {
    const userCode = random(9)
    const request = { ...browser, userCode }
    const authorization = 'x'.repeat(LENGTHS.authorization)
    const created = await tickets.create({ deviceCode, request, authorization })
    if (!created.ok) throw new Error(`create: ${created.code}`)
  },
  watch: async ({ deviceCode, ticket }: Ours) => {
    await subscriber.hold(tickets.channel(ticket), nobody)
    const read = await tickets.read(deviceCode)
    if (!read.ok) throw new Error(`read: ${read.code}`)
  },
  scan: async ({ ticket, sub }: Ours) => {
    const scanned = await tickets.scan(ticket, sub)
    if (!scanned.ok) throw new Error(`scan: ${scanned.code}`)
  },
  confirm: async ({ ticket, sub }: Ours) => {
    const confirmed = await tickets.confirm(ticket, sub)
    if (!confirmed.ok) throw new Error(`confirm: ${confirmed.code}`)
  },
  redeem: async ({ deviceCode, sub }: Ours) => {
    const redeemed = await tickets.redeem(deviceCode)
    if (!redeemed.ok) throw new Error(`redeem: ${redeemed.code}`)
    const sid = random(16)
    await orUnavailable(
      Promise.all([
        keep(keys.oidc('Grant', sid), LENGTHS.grant),
        keep(keys.oidc('RefreshToken', random(32)), LENGTHS.refreshToken),
        keep(keys.sessions(sub), LENGTHS.session),
      ]),
    )
  },
  leave: async ({ ticket }: Ours) => subscriber.release(tickets.channel(ticket), nobody),
  // As these nodes note them. What logins note at the same time leaves in the same writes.
  'note browser': async ({ ticket, sub: person }: Ours) => {
    audit.note({ kind: 'login.asked', ticket, client: 'web', ...place })
    const redeemed = { kind: 'login.redeemed', mode: 'tap', client: 'web', sid: ticket } as const
    audit.note({ ...redeemed, person, ticket, ...place }, { network: '127.0.0', later: true })
  },
  'note phone': async ({ ticket, sub: person }: Ours) => {
    audit.note({ kind: 'login.scanned', person, ticket, ...place }, { once: once(`scanned.${ticket}`) })
    audit.note({ kind: 'login.confirmed', person, ticket, ...place }, { once: once(`confirmed.${ticket}`) })
  },
  /** The cost of starting the other steps on schedule. */
  nothing: async () => {},
} satisfies Record<Step | Noted | 'nothing', (login: Ours) => Promise<unknown>>

const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
/** As long as the signed part of an access token. */
const signed = Buffer.alloc(420, 'x')
const dsa = { dsaEncoding: 'ieee-p1363' } as const
const signature = sign('sha256', signed, { key: privateKey, ...dsa })
const jwt = new SignJWT({ sub: random(16), sid: random(16), scope: 'openid profile offline_access' })
  .setProtectedHeader({ alg: 'ES256', typ: 'at+jwt', kid: random(32) })
  .setIssuedAt()
  .setExpirationTime('10m')
const token = await jwt.sign(privateKey)

const cryptos: Record<Crypto, () => unknown> = {
  sign: () => sign('sha256', signed, { key: privateKey, ...dsa }),
  verify: () => verify('sha256', signed, { key: publicKey, ...dsa }, signature),
  'jose sign': () => jwt.sign(privateKey),
  'jose verify': () => jwtVerify(token, publicKey, { algorithms: ['ES256'] }),
}

let logins: readonly Ours[] = []
obey<PartsOrder, PartsAnswer>({ did: 'start' }, async (order) => {
  switch (order.do) {
    case 'prepare':
      logins = Array.from({ length: order.count }, () => {
        const deviceCode = random(48).padEnd(65, '0')
        return { deviceCode, ticket: deviceCode.slice(0, 22), sub: random(16) }
      })
      return { did: 'prepare' }
    case 'step':
      await openLoop(logins, order.perSecond, acts[order.step])
      return { did: 'step' }
    case 'crypto':
      for (let i = 0; i < order.count; i++) await cryptos[order.how]()
      return { did: 'crypto' }
  }
})
