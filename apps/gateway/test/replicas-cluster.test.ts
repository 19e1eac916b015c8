import {
  type Answer,
  attemptPhoneToken,
  attemptTicket,
  confirm,
  createTicket,
  monitorOf,
  onCleanup,
  phoneToken,
  publish,
  redeem,
  refresh,
  reject,
  request,
  scan,
  startGateway,
  startRedisCluster,
  testApiKey,
  until,
  webToken,
} from '@saoma/testing'
import { decodeJwt } from 'jose'
import { openOperator, upTo } from './fixtures.ts'
import { deskClient, SECRET } from './relying-party.ts'

/*
 * A Redis Cluster of three shards, of which one has lost its replica. Each call that acknowledges something
 * is asked several times, and what it has written on the master without a replica is read from that master
 * itself: no call may say yes that has written there.
 */

const INSTANCES = 4
/** So many that one of them is on the master without a replica while the ticket of their request is not. */
const PEOPLE = 16
/** What must last: no presence, no limits, no signs of life. */
const LASTING =
  /:(?:ticket|user-code|oidc:\w+|used-refresh-tokens|account|account-of|account-link|sessions(?:-end)?|requests):\{|:channel:\{[^}]+\}:(?:meta|log|receipt:|ends)/
/**
 * That what is left of an ended session goes sooner need not last, nor that it says why, and not whose. Nor
 * that a person has room again for a request.
 */
const isUpkeep = (command: string, key: string, field = '', value = ''): boolean => {
  if (/^unlink$/i.test(command)) return /:used-refresh-tokens:/.test(key)
  if (/:requests:/.test(key)) return !/^hset$/i.test(command)
  if (!/:oidc:RefreshToken:/.test(key)) return false
  const words = `${command} ${field} ${value}`
  return /^(expire|hset end|hdel s |hset payload .*"accountId":"")/i.test(words)
}
const WRITES = /^(?:set|hset|hsetnx|hdel|unlink|del|xadd|xtrim|append|expire|persist|pexpire|pexpireat|expireat)$/i

interface Call {
  ask: () => Promise<Answer<unknown>>
  /** Of the answer when all is well. */
  status?: number
  body?: object
  /** Whose ends it tells of: those of others are told behind their calls. */
  user?: string
}

/** Hears every command of a server. */
const listenTo = async (url: string) => {
  const connection = await openOperator(url)
  if ('nodes' in connection) throw new TypeError('one server is listened to at a time')
  const monitor = await monitorOf(connection)
  onCleanup(() => monitor.disconnect())
  let heard: string[][] = []
  let marks = 0
  monitor.on('monitor', (_time: string, args: string[]) => heard.push(args))
  return {
    /** What was written that must last since the last call of this. */
    written: async (): Promise<string[]> => {
      const mark = `mark-${++marks}`
      await connection.echo(mark)
      await until(
        async () => heard.some((args) => args[1] === mark),
        (isThere) => isThere,
      )
      const all = heard
      heard = []
      return all.flatMap(([command = '', key = '', ...rest]) =>
        WRITES.test(command) && LASTING.test(key) && !isUpkeep(command, key, ...rest) ? [key] : [],
      )
    },
  }
}

test('a call refused for want of a replica passes later with the same result', async () => {
  const { url, nodes, replicas } = await startRedisCluster({ replicas: true })
  const env = { SAOMA_REDIS_REPLICAS: '1', SAOMA_CLIENTS: JSON.stringify([deskClient]) }
  const { origin } = await startGateway({ redisUrl: url, nodeId: 'a', origin: 'http://replicas.test', env })
  const phone = await phoneToken(origin, 'ada')
  const each = <T>(make: (i: number) => Promise<T>): Promise<T[]> =>
    Promise.all(Array.from({ length: INSTANCES }, (_, i) => make(i)))
  const login = (name: string) => async (i: number) => webToken(origin, `${name}-${i}`)

  const pending = await each(() => createTicket(origin))
  const seen = await each(async () => {
    const created = await createTicket(origin)
    await scan(origin, created.ticket, phone)
    return created
  })
  const unwanted = await each(() => createTicket(origin))
  const agreed = await each(async () => {
    const created = await createTicket(origin)
    await scan(origin, created.ticket, phone)
    await confirm(origin, created.ticket, phone)
    return created
  })
  const refreshing = await each(login('refresh'))
  const revoking = await each(login('revoke'))
  const ending = await each(login('end'))
  const endingAll = await each(login('all'))
  const asked = await Promise.all(
    upTo(PEOPLE).map(async (i) => String(decodeJwt(await phoneToken(origin, `asked-${i}`)).sub)),
  )
  const rooms = await each(async (i) => {
    for (let data = 0; data < 3; data++) await publish(origin, { channel: `room:open-${i}`, event: 'e', data })
    await publish(origin, { channel: `user:reader-${i}`, event: 'e', data: 1 })
    return `room:open-${i}`
  })

  const sidOf = (token: string): string =>
    JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()).sid
  const business = { method: 'POST', bearer: testApiKey }
  const numbers = upTo(INSTANCES)
  const calls: Record<string, Call[]> = {
    create: numbers.map(() => ({ ask: () => attemptTicket(origin) })),
    'a request to a phone': asked.map((login_hint) => ({
      ask: () =>
        request(`${origin}/oidc/backchannel`, {
          form: { client_id: 'desk', client_secret: SECRET, scope: 'openid', login_hint },
        }),
    })),
    'a new account': numbers.map((i) => ({ ask: () => attemptPhoneToken(origin, `demo:new-${i}`) })),
    scan: pending.map(({ ticket }) => ({ ask: () => scan(origin, ticket, phone) })),
    confirm: seen.map(({ ticket }) => ({ ask: () => confirm(origin, ticket, phone) })),
    reject: unwanted.map(({ ticket }) => ({ ask: () => reject(origin, ticket, phone) })),
    redeem: agreed.map(({ device_code: code }) => ({ ask: () => redeem(origin, code) })),
    refresh: refreshing.map(({ refresh_token: token }) => ({ ask: () => refresh(origin, token) })),
    revoke: revoking.map(({ refresh_token: token = '', user }) => ({
      ask: () => request(`${origin}/oidc/token/revocation`, { form: { token, client_id: 'web' } }),
      user,
    })),
    'end one': ending.map(({ access_token: token, user }, i) => ({
      ask: async () =>
        request(`${origin}/v1/sessions/${sidOf(token)}`, {
          method: 'DELETE',
          bearer: (await attemptPhoneToken(origin, `demo:end-${i}`)).body.access_token ?? token,
        }),
      body: { ended: 1 },
      user,
    })),
    'end all': endingAll.map(({ access_token: token, user }) => ({
      ask: () => request(`${origin}/v1/sessions`, { method: 'DELETE', bearer: token }),
      body: { ended: 1 },
      user,
    })),
    'end of a business': numbers.map((i) => ({
      ask: () => request(`${origin}/v1/users/somebody-${i}/end`, business),
      status: 202,
      user: `somebody-${i}`,
    })),
    publish: rooms.map((channel, i) => ({
      ask: () => publish(origin, { channel, event: 'e', data: 4, idempotencyKey: `key-${i}` }),
      body: { offset: 4 },
    })),
    'mark read': numbers.map((i) => ({
      ask: () => request(`${origin}/v1/channels/user:reader-${i}/read`, { bearer: testApiKey, json: { offset: 1 } }),
      body: { read: 1, unread: 0 },
    })),
    trim: rooms.map((channel) => ({
      ask: () =>
        request(`${origin}/v1/channels/${channel}/messages?before=3`, { method: 'DELETE', bearer: testApiKey }),
      body: { trimmed: 2 },
    })),
  }

  const shard = await listenTo(nodes[0]?.url ?? '')
  await replicas[0]?.kill('SIGSTOP')
  const refused: [name: string, call: Call][] = []
  const outcome = { refused: 0, passed: 0 }
  for (const [name, of] of Object.entries(calls))
    for (const call of of) {
      await shard.written()
      const { status, body } = await call.ask()
      const keys = (await shard.written()).filter((key) => !key.endsWith(':ends') || key.includes(`:${call.user}}`))
      const isRefused = status === 503
      outcome[isRefused ? 'refused' : 'passed']++
      if (isRefused) refused.push([name, call])
      else expect({ name, status, body, keys }).toMatchObject({ status: call.status ?? 200, keys: [] })
    }
  expect(outcome.refused).toBeGreaterThan(0)
  expect(outcome.passed).toBeGreaterThan(0)

  await replicas[0]?.kill('SIGCONT')
  for (const [name, { ask, status = 200, body = {} }] of refused) {
    const answer = await until(ask, (given) => given.status !== 503)
    expect({ name, status: answer.status, body: answer.body }).toMatchObject({ name, status, body })
  }
}, 120_000)
