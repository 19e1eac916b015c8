import { setImmediate as turn } from 'node:timers/promises'
import {
  type Cluster,
  confirm,
  connectLive,
  connectLogin,
  createTicket,
  type Gateway,
  metricOf,
  phoneToken,
  publish,
  redeem,
  request,
  scan,
  startCluster,
  until,
  webToken,
} from '@saoma/testing'
import { Registry } from 'prom-client'
import { watchEventLoop } from '../src/operate/event-loop.ts'
import { version } from '../src/operate/version.ts'
import { openOperator } from './fixtures.ts'

let cluster: Cluster
let a: Gateway
let b: Gateway

beforeAll(async () => {
  cluster = await startCluster({ nodes: 2 })
  ;[a, b] = cluster.nodes as [Gateway, Gateway]
})

/** One series, by its name with its labels as Prometheus's text has them; 0 if it is not there yet. */
const seriesOf = async (node: Gateway, series: string): Promise<number> => {
  const { body } = await request<string>(`${node.internalOrigin}/metrics`)
  const line = body.split('\n').find((text) => text.startsWith(`${series} `))
  return line ? Number(line.slice(series.length + 1)) : 0
}

/** How many confirms a node has timed to their browser. */
const pushes = (node: Gateway) => metricOf(node, 'saoma_login_confirm_push_seconds_count')

/** A login whose browser is at one node and whose phone at another. */
const logIn = async (browserAt: Gateway, phoneAt: Gateway): Promise<void> => {
  const { device_code, ticket } = await createTicket(browserAt.origin)
  const browser = connectLogin(browserAt.origin)
  await browser.watch(device_code)
  expect(await metricOf(browserAt, 'saoma_tickets_watched')).toBe(1)
  const alice = await phoneToken(phoneAt.origin, 'alice')
  await scan(phoneAt.origin, ticket, alice)
  await browser.next('ticket')
  await confirm(phoneAt.origin, ticket, alice)
  // Once more, as a phone does that lost the answer: nothing is told, so the redemption must not be taken for
  // it.
  await confirm(phoneAt.origin, ticket, alice)
  await browser.next('ticket')
  await redeem(browserAt.origin, device_code)
  await browser.next('ticket')
  browser.close()
}

test('a confirm is timed once for a browser of the same node, and never for another node', async () => {
  await logIn(a, a)
  expect([await pushes(a), await pushes(b)]).toEqual([1, 0])
  const seconds = await metricOf(a, 'saoma_login_confirm_push_seconds_sum')
  expect(seconds).toBeGreaterThan(0)
  await logIn(a, b)
  expect([await pushes(a), await pushes(b)]).toEqual([1, 0])
  await until(
    () => metricOf(a, 'saoma_tickets_watched'),
    (watched) => watched === 0,
  )
})

test('each step of a login is counted on the node that it came to', async () => {
  const states = ['created', 'scanned', 'confirmed', 'redeemed']
  const counts = (node: Gateway) =>
    Promise.all(states.map((state) => seriesOf(node, `saoma_login_transitions_total{state="${state}"}`)))
  const before = [await counts(a), await counts(b)]
  await webToken(a.origin, 'bob')
  const after = [await counts(a), await counts(b)]
  expect(after).toEqual([before[0]?.map((count) => count + 1), before[1]])
})

test('the metrics count people, not sockets, and the messages they had missed', async () => {
  const { access_token: token, user } = await webToken(a.origin, 'carol')
  const channel = `user:${user}`
  const open = async () => {
    const page = connectLive(a.origin, { token })
    const answer = await page.subscribe({ channel })
    if (!answer.ok) throw new Error(answer.code)
    return { page, since: { epoch: answer.epoch, offset: answer.offset } }
  }
  const [first, second] = [await open(), await open()]
  expect(await metricOf(a, 'saoma_users')).toBe(1)
  const missed = await metricOf(a, 'saoma_recovered_messages_total')
  await first.page.unsubscribe({ channel })
  for (const data of [1, 2, 3]) await publish(b.origin, { channel, event: 'n', data })
  expect(await first.page.subscribe({ channel, since: first.since })).toMatchObject({ recovered: true })
  expect(await metricOf(a, 'saoma_recovered_messages_total')).toBe(missed + 3)
  first.page.close()
  second.page.close()
  await until(
    () => metricOf(a, 'saoma_users'),
    (users) => users === 0,
  )
})

test('commands are timed per connection, and reconnects are counted', async () => {
  const commands = (client: string) =>
    seriesOf(a, `saoma_redis_command_seconds_count{client="${client}",result="reply"}`)
  const reconnects = () => seriesOf(a, 'saoma_redis_reconnects_total{client="sub"}')
  const before = await commands('data')
  await createTicket(a.origin)
  expect(await commands('data')).toBeGreaterThan(before)
  expect(await commands('sub')).toBeGreaterThan(0)
  expect(await reconnects()).toBe(0)

  const admin = await openOperator(cluster.redis.url)
  await admin.call('CLIENT', 'KILL', 'TYPE', 'pubsub')
  await until(reconnects, (times) => times === 1)
})

test('a node names itself, and tells how busy its event loop was', async () => {
  expect(await seriesOf(a, `saoma_node_info{node="a",version="${version}"}`)).toBe(1)
  const busy = await metricOf(a, 'saoma_event_loop_utilization')
  expect(busy).toBeGreaterThan(0)
  expect(busy).toBeLessThanOrEqual(1)
  // An idle node has none at most moments: the time in which it waits is no lag.
  await until(
    () => seriesOf(a, 'saoma_event_loop_lag_seconds{percentile="50"}'),
    (seconds) => seconds >= 0 && seconds < 0.04,
  )
  expect(await seriesOf(a, 'saoma_event_loop_lag_seconds{percentile="100"}')).toBeGreaterThan(0)
})

test('a stalled event loop shows for a while, however often it is asked', async () => {
  const registry = new Registry()
  watchEventLoop(registry, 1_000)
  const longest = async (): Promise<number> => {
    const text = await registry.getSingleMetricAsString('saoma_event_loop_lag_seconds')
    return Number(/percentile="100"} (.*)/.exec(text)?.[1])
  }
  const standStill = () => {
    const endAt = performance.now() + 300
    while (performance.now() < endAt);
  }
  // What is tested is a clock that looks every 50 ms and tells of itself by no event: it may not have looked
  // before the first time.
  await until(
    async () => {
      standStill()
      // Its look is overdue, so it is in the next turn.
      await turn()
      await turn()
      return longest()
    },
    (seconds) => seconds > 0.2,
  )
  // Two who ask see the same; what is over goes by itself.
  expect([await longest(), await longest()]).toEqual([await longest(), await longest()])
  await until(longest, (seconds) => seconds < 0.2)
})
