import { setTimeout as delay } from 'node:timers/promises'
import {
  confirm,
  createTicket,
  freePort,
  type Gateway,
  onCleanup,
  phoneToken,
  redeem,
  request,
  scan,
  startGateway,
  startNginx,
  startRedisCluster,
  startRedisSentinel,
  testApiKey,
  until,
} from '@saoma/testing'
import { decodeClaims } from '../src/claims.ts'
import { createPublisher } from '../src/server.ts'
import { startBusiness } from './business.ts'
import { listen, openLive, upTo } from './visitor.ts'

const PEOPLE = 9
const LOGINS_PER_SECOND = 5
/** What must go well before the failure, and again after it. */
const MORE_LOGINS = 10
const MORE_MESSAGES = 20
const names = ['ann', 'ben', 'cho']

const startNodes = async (redisUrl: string) => {
  const port = await freePort()
  const origin = `http://127.0.0.1:${port}`
  const env = { SAOMA_REDIS_REPLICAS: '1', SAOMA_AUTH_URL: await startBusiness() }
  const nodes = await Promise.all(['a', 'b'].map((nodeId) => startGateway({ redisUrl, nodeId, origin, env })))
  await startNginx({ nodes, port })
  return { origin, nodes }
}

const readiness = ({ internalOrigin }: Gateway) => request<{ reasons: string[] }>(`${internalOrigin}/readyz`)
const green = (nodes: readonly Gateway[]) =>
  until(
    () => Promise.all(nodes.map(readiness)),
    (answers) => answers.every(({ status }) => status === 200),
  )

type Outcome = 'done' | 'refused' | 'lost' | 'wrong'

/**
 * A login by HTTP. Refused is one that could not be confirmed, or whose tokens were asked for in the outage itself: the code may be used
 * up then. Lost is one that was confirmed and whose tokens are not there although nobody was told to come back.
 */
const logIn = async (origin: string, phone: string): Promise<Outcome> => {
  const opened = await createTicket(origin).catch(() => undefined)
  if (!opened) return 'refused'
  if ((await scan(origin, opened.ticket, phone)).status !== 200) return 'refused'
  if ((await confirm(origin, opened.ticket, phone)).status !== 200) return 'refused'
  const { status, body } = await redeem(origin, opened.device_code)
  if (status !== 200) return status === 503 || status === 502 ? 'refused' : 'lost'
  return decodeClaims(body.access_token)?.sub === decodeClaims(phone)?.sub ? 'done' : 'wrong'
}

/** All goes on while `fail` happens: numbered messages to people, logins at a steady rate. */
const goOnDuring = async (redisUrl: string, fail: (nodes: readonly Gateway[]) => Promise<void>) => {
  const { origin, nodes } = await startNodes(redisUrl)
  const phones = await Promise.all(names.map((name) => phoneToken(origin, name)))
  const people = upTo(PEOPLE).map((n) => {
    const visitor = openLive({ origin, token: () => `person${n}` })
    return { ...visitor, name: `person${n}`, inbox: listen(visitor.live.channel('@user')), sent: 0 }
  })
  await Promise.all(people.map(({ inbox }) => inbox.at('live')))

  let over = false
  onCleanup(() => {
    over = true
  })
  const publisher = createPublisher({ origin, apiKey: testApiKey, withinMs: 5_000 })
  const publishing = people.map(async (person) => {
    while (!over) {
      const data = person.sent + 1
      const message = { channel: `user:${person.name}`, event: 'n', data, idempotencyKey: `${data}` }
      const answer = await publisher.publish(message)
      if (answer.ok) person.sent = data
    }
  })
  const outcomes: Record<Outcome, number> = { done: 0, refused: 0, lost: 0, wrong: 0 }
  const loggingIn = (async () => {
    for (let i = 0; !over; i++) {
      void logIn(origin, phones[i % phones.length] ?? '').then((outcome) => outcomes[outcome]++)
      await delay(1_000 / LOGINS_PER_SECOND)
    }
  })()
  const going = () => {
    const [done, sent] = [outcomes.done, people.map((person) => person.sent)]
    return until(
      async () =>
        outcomes.done >= done + MORE_LOGINS &&
        people.every((person, i) => person.sent >= (sent[i] ?? 0) + MORE_MESSAGES),
      Boolean,
    )
  }

  await going()
  await fail(nodes)
  await green(nodes)
  await going()
  over = true
  await Promise.all([...publishing, loggingIn])
  for (const { inbox, sent } of people) {
    await inbox.until(sent)
    expect(inbox.numbers).toEqual(upTo(sent))
    expect(inbox.lost).toEqual([])
  }
  for (const { exited } of nodes) expect(await Promise.race([exited, 'runs'])).toBe('runs')

  process.stdout.write(
    `failover: ${people.reduce((sum, { sent }) => sum + sent, 0)} messages acknowledged and heard; ` +
      `logins: ${JSON.stringify(outcomes)}\n`,
  )
  expect(outcomes).toMatchObject({ lost: 0, wrong: 0 })
}

test('Sentinel makes a replica the master: what was acknowledged is there, everybody hears it once and in order, logins go on', async () => {
  const { url, master, switched } = await startRedisSentinel()
  await goOnDuring(url, async (nodes) => {
    const promoted = switched()
    await master.kill()
    const red = await until(
      () => readiness(nodes[0] as Gateway),
      ({ status }) => status === 503,
    )
    expect(red.body.reasons).toContain('redis:data')
    await promoted
  })
}, 60_000)

test('a Redis Cluster makes a replica the master of a shard: the same', async () => {
  const { url, nodes: masters, replicas } = await startRedisCluster({ replicas: true })
  await goOnDuring(url, async () => {
    await masters[0]?.kill()
    await replicas[0]?.nextLine(({ text }) => text.includes('Failover election won'), 20_000)
    // It comes back as the replica of the one that took over, which then has somebody to pass its writes on to.
    await masters[0]?.restart()
  })
}, 60_000)
