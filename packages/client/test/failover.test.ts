import { setTimeout as delay } from 'node:timers/promises'
import {
  attemptTicket,
  confirm,
  elected,
  freePort,
  type Gateway,
  onCleanup,
  phoneToken,
  redeem,
  refresh,
  request,
  scan,
  startGateway,
  startNginx,
  startRedisCluster,
  startRedisSentinel,
  testApiKey,
  until,
} from '@saoma/testing'
import { decodeClaims } from '../src/core/claims.ts'
import { createPublisher } from '../src/server.ts'
import { startBusiness } from './business.ts'
import { listen, openLive, upTo } from './visitor.ts'

const PEOPLE = 9
const LOGINS_PER_SECOND = 5
/** Between two messages to a person: what is proved is that none is lost, not how many there can be. */
const PAUSE_MS = 150
/** What must go well before the failure, and again after it. */
const MORE_LOGINS = 10
const MORE_MESSAGES = 10
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

/**
 * Refused is an answer that says "come back"; lost is any other but the one that must come, as every step
 * before was acknowledged.
 */
type Outcome = 'done' | 'refused' | 'lost' | 'wrong'

const outcomeOf = (status: number): Outcome => {
  if (status === 200) return 'done'
  return status === 503 || status === 502 ? 'refused' : 'lost'
}

/** A login by HTTP, until a step is not done; done, it has a refresh token. */
const logIn = async (origin: string, phone: string): Promise<{ outcome: Outcome; refreshToken?: string }> => {
  const opened = await attemptTicket(origin)
  if (opened.status !== 200) return { outcome: outcomeOf(opened.status) }
  const { ticket, device_code } = opened.body
  for (const step of [scan, confirm]) {
    const { status } = await step(origin, ticket, phone)
    if (status !== 200) return { outcome: outcomeOf(status) }
  }
  const { status, body } = await redeem(origin, device_code)
  if (status !== 200) return { outcome: outcomeOf(status) }
  if (decodeClaims(body.access_token)?.sub !== decodeClaims(phone)?.sub) return { outcome: 'wrong' }
  return { outcome: 'done', refreshToken: body.refresh_token ?? '' }
}

/** All goes on while `fail` happens: numbered messages to people, logins at a steady rate. */
const goOnDuring = async (redisUrl: string, fail: (nodes: readonly Gateway[], origin: string) => Promise<void>) => {
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
      await delay(PAUSE_MS)
    }
  })
  const sessions: string[] = []
  const outcomes: Record<Outcome, number> = { done: 0, refused: 0, lost: 0, wrong: 0 }
  const logInOnce = async (phone: string) => {
    const { outcome, refreshToken } = await logIn(origin, phone)
    outcomes[outcome]++
    if (refreshToken !== undefined) sessions.push(refreshToken)
  }
  const loggingIn = (async () => {
    const begun: Promise<void>[] = []
    for (let i = 0; !over; i++) {
      begun.push(logInOnce(phones[i % phones.length] ?? ''))
      await delay(1_000 / LOGINS_PER_SECOND)
    }
    // None outlives the test: the servers end with it.
    await Promise.all(begun)
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
  await fail(nodes, origin)
  await green(nodes)
  await going()
  over = true
  await Promise.all([...publishing, loggingIn])
  for (const { inbox, sent } of people) {
    await inbox.until(sent)
    const { numbers, lost } = inbox
    expect([...new Set(numbers)]).toEqual(upTo(sent))
    // One that was heard and not yet acknowledged may have died with the master: it comes again, and the log
    // has said that it went back.
    const twice = numbers.filter((n, i) => numbers.indexOf(n) !== i)
    expect(twice.length).toBeLessThanOrEqual(1)
    // On a machine that is busy elsewhere a Sentinel may take the new master for dead too: then the log goes
    // back once more.
    expect(lost.length).toBeGreaterThanOrEqual(twice.length)
    expect(new Set(lost.map(({ reason }) => reason))).toEqual(new Set(lost.length > 0 ? ['epoch'] : []))
  }
  for (const { exited } of nodes) expect(await Promise.race([exited, 'runs'])).toBe('runs')

  process.stdout.write(
    `failover: ${people.reduce((sum, { sent }) => sum + sent, 0)} messages acknowledged and heard; ` +
      `logins: ${JSON.stringify(outcomes)}\n`,
  )
  expect(outcomes).toMatchObject({ lost: 0, wrong: 0 })
  // Whoever logged in before still is.
  expect(new Set(await Promise.all(sessions.map(async (token) => (await refresh(origin, token)).status)))).toEqual(
    new Set([200]),
  )
}

// Everybody hears every acknowledged message in order, and logins go on.
test('no acknowledged message is lost when Sentinel promotes a replica', async () => {
  const { url, master, replicas, switched } = await startRedisSentinel()
  await goOnDuring(url, async (nodes, origin) => {
    const promoted = switched()
    // What is written from now on dies with the master, so none of it may be acknowledged.
    await Promise.all(replicas.map((replica) => replica.kill('SIGSTOP')))
    expect((await attemptTicket(origin)).status).toBe(503)
    expect((await attemptTicket(origin)).status).toBe(503)
    await master.kill()
    await Promise.all(replicas.map((replica) => replica.kill('SIGCONT')))
    // The connections end one after the other.
    await until(
      () => readiness(nodes[0] as Gateway),
      ({ status, body }) => status === 503 && body.reasons.includes('redis:data'),
    )
    await promoted
  })
})

test('no acknowledged message is lost when a Redis Cluster promotes a replica', async () => {
  const { url, nodes: masters, replicas } = await startRedisCluster({ replicas: true })
  await goOnDuring(url, async () => {
    const [replica] = replicas
    if (!replica) throw new Error('it has no replicas')
    await replica.kill('SIGSTOP')
    await masters[0]?.kill()
    await replica.kill('SIGCONT')
    await elected(replica)
    // It comes back as the replica of the one that took over, which then has somebody to pass its writes on
    // to.
    await masters[0]?.restart()
  })
})
