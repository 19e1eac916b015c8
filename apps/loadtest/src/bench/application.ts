import { createHash } from 'node:crypto'
import type { IncomingHttpHeaders } from 'node:http'
import { setTimeout as delay } from 'node:timers/promises'
import { phoneToken, startGateway, startRedis } from '@saoma/testing'
import { table } from '../table.ts'
import { browserHeaders } from './client.ts'
import { costOf } from './cpu.ts'
import { ORIGIN } from './footprint.ts'
import { post, visit } from './keep-alive.ts'
import { type Doors, type Login, newLogin, stepNames, steps } from './login-walk.ts'
import { batches, median, sum } from './numbers.ts'
import { openLoop } from './open-loop.ts'

export interface ApplicationOptions {
  /** Logins of one round. */
  logins: number
  /** Called with each progress message. */
  onProgress: (sentence: string) => void
}

/** CPU microseconds of one login, by step: of the nodes and Redis together. */
type Walked = { step: string; cost: number }[]

export interface ApplicationResult {
  logins: number
  rounds: { page: Walked; application: Walked }[]
}

const ROUNDS = 3
/**
 * Rounds before those that count. V8 still compiles in the first thousand logins, and what it uses for that
 * is counted. A node lives for days.
 */
const WARM_UPS = 4
const PER_SECOND = 100
const SETTLE_MS = 100
const AT_ONCE = 20
const LIMITS = {
  SAOMA_LIMIT_HANDSHAKES: '1000000',
  SAOMA_LIMIT_CODES: '1000000',
  SAOMA_LIMIT_CODES_CLUSTER: '1000000',
  SAOMA_LIMIT_REQUESTS: '1000000',
}

const SECRET = 'a secret of the benchmark with forty letters'
const APPLICATION = {
  client_id: 'bench',
  client_name: 'Bench',
  type: 'confidential',
  party: 'first',
  redirect_uris: ['https://bench.example.com/callback'],
  grant_types: ['authorization_code', 'refresh_token'],
  scope: 'openid profile offline_access',
  secret_sha256: createHash('sha256').update(SECRET).digest('hex'),
}
const ASKED = new URLSearchParams({
  client_id: APPLICATION.client_id,
  redirect_uri: APPLICATION.redirect_uris[0] ?? '',
  response_type: 'code',
  scope: APPLICATION.scope,
})
const CREDENTIALS = {
  Authorization: `Basic ${btoa([APPLICATION.client_id, SECRET].map(encodeURIComponent).join(':'))}`,
}

/** A person who enters the application with a browser. */
interface Visit {
  login: Login
  /** Path of the interaction. */
  page: string
  cookies: string[]
  /** Where the browser goes on. */
  next: string
}

const pathOf = (address: string | undefined): string => {
  const { pathname, search } = new URL(address ?? '', ORIGIN)
  return pathname + search
}

const keep = (visitor: Visit, headers: IncomingHttpHeaders): void => {
  visitor.cookies.push(...(headers['set-cookie'] ?? []).map((line) => line.split(';')[0] ?? ''))
}

const from = (visitor: Visit): Record<string, string> => ({
  ...browserHeaders(ORIGIN),
  ...(visitor.cookies.length > 0 ? { Cookie: visitor.cookies.join('; ') } : {}),
})

type Act = (visitor: Visit, doors: Doors) => Promise<unknown>

/** What the browser and the application do before the person scans. */
const before: Record<string, Act> = {
  'begin, at the application': async (visitor, { browser }) => {
    const headers = await visit(`${browser}/oidc/auth?${ASKED}`, from(visitor))
    keep(visitor, headers)
    visitor.page = pathOf(headers.location)
    const id = `login:${visitor.page.split('/').at(-1)}`
    Object.assign(visitor.login, { client: { id, scope: 'openid' } })
  },
  'ask what it is about': (visitor, { browser }) => visit(`${browser}${visitor.page}/details`, from(visitor)),
}

/** And afterwards. */
const after: Record<string, Act> = {
  'go on': async (visitor, { browser }) => {
    const headers = { ...from(visitor), Authorization: `Bearer ${visitor.login.accessToken}` }
    const { body } = await post(`${browser}${visitor.page}/login`, headers)
    visitor.next = pathOf((body as { location: string }).location)
  },
  'return with a code': async (visitor, { browser }) => {
    const { location } = await visit(`${browser}${visitor.next}`, from(visitor))
    visitor.next = new URL(location ?? '').searchParams.get('code') ?? ''
  },
  'redeem the code': async (visitor, { browser }) => {
    const [redirect_uri = ''] = APPLICATION.redirect_uris
    const form = { grant_type: 'authorization_code', code: visitor.next, redirect_uri }
    const { body } = await post(`${browser}/oidc/token`, CREDENTIALS, form)
    const { id_token, refresh_token } = body as Record<string, string>
    if (!id_token || !refresh_token) throw new Error(`not all tokens: ${JSON.stringify(body)}`)
  },
}

const common: Record<string, Act> = Object.fromEntries(
  stepNames.map((step): [string, Act] => [step, ({ login }, doors) => steps[step](login, doors)]),
)
const WAYS = { page: common, application: { ...before, ...common, ...after } }

/** What a login at a registered application costs, beside one on the cluster's own page. */
export const benchApplication = async ({ logins, onProgress }: ApplicationOptions): Promise<ApplicationResult> => {
  onProgress('application: starting')
  const redis = await startRedis()
  const env = { ...LIMITS, SAOMA_CLIENTS: JSON.stringify([APPLICATION]) }
  const start = (nodeId: string) => startGateway({ redisUrl: redis.url, nodeId, origin: ORIGIN, env })
  const [a, b] = await Promise.all([start('a'), start('b')])
  const doors: Doors = { browser: a.origin, phone: b.origin }

  const walk = async (way: Record<string, Act>): Promise<Walked> => {
    const visitors: Visit[] = []
    for (const batch of batches([...Array(logins).keys()], AT_ONCE))
      for (const phone of await Promise.all(batch.map((i) => phoneToken(b.origin, `bench-${i}`))))
        visitors.push({ login: newLogin(phone), page: '', cookies: [], next: '' })
    const walked: Walked = []
    for (const [step, act] of Object.entries(way)) {
      const costs = await costOf([a.pid, b.pid, redis.pid], async () => {
        await openLoop(visitors, PER_SECOND, (visitor) => act(visitor, doors))
        await delay(SETTLE_MS)
      })
      walked.push({ step, cost: sum(costs) / logins })
    }
    return walked
  }

  const rounds: ApplicationResult['rounds'] = []
  for (let round = 1 - WARM_UPS; round <= ROUNDS; round++) {
    onProgress(round < 1 ? 'application: warming up' : `application: round ${round} of ${ROUNDS}`)
    const early = round % 2 === 0 ? await walk(WAYS.page) : undefined
    const application = await walk(WAYS.application)
    const page = early ?? (await walk(WAYS.page))
    if (round > 0) rounds.push({ page, application })
  }
  await Promise.all([a.stop(), b.stop()])
  await redis.stop()
  return { logins, rounds }
}

export const applicationReport = ({ logins, rounds }: ApplicationResult): string => {
  const us = (value: number) => value.toFixed(0)
  const of = (walked: Walked, step: string) => walked.find((done) => done.step === step)?.cost
  const total = (walked: Walked) => sum(walked.map(({ cost }) => cost))
  const cell = (way: 'page' | 'application', step: string) => {
    const costs = rounds.flatMap((round) => of(round[way], step) ?? [])
    return costs.length > 0 ? us(median(costs)) : ''
  }
  const ratios = rounds.map(({ page, application }) => total(application) / total(page))
  return [
    'CPU microseconds of a login at a registered application, beside one on the own page: two nodes and Redis',
    '',
    table(
      ['', 'own page', 'application'],
      [
        ...Object.keys(WAYS.application).map((step) => [step, cell('page', step), cell('application', step)]),
        [
          'a login',
          us(median(rounds.map(({ page }) => total(page)))),
          us(median(rounds.map(({ application }) => total(application)))),
        ],
      ],
    ),
    '',
    `At an application a login takes ${median(ratios).toFixed(2)} times as much: ${ratios.map((ratio) => ratio.toFixed(2)).join(', ')}, round by round, of ${logins} logins each.`,
  ].join('\n')
}
