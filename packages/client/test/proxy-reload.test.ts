import {
  type Cluster,
  connectLogin,
  connectWs,
  createTicket,
  type Line,
  startAwake,
  startCluster,
  testApiKey,
  until,
} from '@saoma/testing'
import { createPublisher } from '../src/server.ts'
import { startBusiness } from './business.ts'
import { busiestSecond, watchStalls } from './pace.ts'
import { listen, openLive, upTo } from './visitor.ts'

/** The long run is `PROXY_SOCKETS=2000`. */
const SOCKETS = Number(process.env.PROXY_SOCKETS ?? 50)
/** Of each other kind. */
const OTHERS = 10
/** Who come at once. */
const AT_ONCE = 40
const WINDOW_MS = 4_000
const TEST_MS = 60_000 + SOCKETS * 60
/** Of the mean, in the busiest second. */
const SLACK = 2.5

let cluster: Cluster
const told: Line[] = []
beforeAll(async () => {
  cluster = await startCluster({
    nodes: 2,
    env: { SAOMA_AUTH_URL: await startBusiness(), SAOMA_DRAIN_WINDOW_MS: `${WINDOW_MS}` },
    onLine: (_, line) => {
      if (line.json?.event === 'proxy-leaves') told.push(line)
    },
  })
})

/** That of the mean over the window that the nodes have told of. */
const paceOf = (times: readonly number[]): number =>
  busiestSecond(times) / (times.length / (Math.max(...told.map(({ json }) => Number(json?.windowMs))) / 1_000))

const come = async () => {
  const people: { live: ReturnType<typeof openLive>; inbox: ReturnType<typeof listen>; name: string }[] = []
  while (people.length < SOCKETS) {
    const some = upTo(Math.min(AT_ONCE, SOCKETS - people.length)).map(async (n) => {
      const name = `person${people.length + n}`
      const live = openLive({ origin: cluster.origin, token: () => name, transports: ['websocket'] })
      const inbox = listen(live.live.channel('@user'))
      await Promise.all([live.at('socket'), inbox.at('live')])
      return { live, inbox, name }
    })
    people.push(...(await Promise.all(some)))
  }
  return people
}

// Then SIGQUIT ends nginx, and they leave in the same way.
test(
  `a reload of nginx moves ${SOCKETS} sockets one by one without loss`,
  async () => {
    const people = await come()
    const { device_code: deviceCode } = await createTicket(cluster.origin)
    const browsers = upTo(OTHERS).map(() => connectLogin(cluster.origin))
    const engines = upTo(OTHERS).map(() => connectLogin(cluster.origin, { query: {} }))
    for (const browser of [...browsers, ...engines]) {
      await browser.next('connect')
      await browser.watch(deviceCode)
    }
    const plain = await Promise.all(upTo(OTHERS).map(() => connectWs(cluster.origin)))
    for (const client of plain) await client.ask({ op: 'auth', token: testApiKey })

    const stalls = watchStalls()
    const gone: number[] = []
    for (const { live } of people) {
      let before = live.live.state
      live.live.on('state', (state) => {
        if (before === 'socket') gone.push(Date.now())
        before = state
      })
    }
    for (const { socket } of [...browsers, ...engines]) socket.on('disconnect', () => gone.push(Date.now()))
    const all = SOCKETS + 3 * OTHERS
    const closed = plain.map((client) => client.closed(TEST_MS))
    const allGone = () =>
      until(
        async () => gone.length,
        (many) => many >= all - OTHERS,
      )
    const toldOf = () => told.reduce((sum, { json }) => sum + Number(json?.sockets), 0)

    const ended = cluster.nginx.nextLine(({ text }) => /worker process \d+ exited with code 0/.test(text), TEST_MS)
    const began = performance.now()
    const awake = startAwake()
    await cluster.nginx.kill('SIGHUP')
    await until(
      async () => told.length,
      (lines) => lines === 2,
    )
    expect(toldOf()).toBe(all)
    // nginx closes connections that are kept and unused, perhaps with a request on its way: the publisher
    // says it again by its key.
    const publisher = createPublisher({ origin: cluster.origin, apiKey: testApiKey })
    let sent = 0
    while (gone.length < all - OTHERS && performance.now() - began < 2 * WINDOW_MS) {
      sent++
      const answers = await Promise.all(
        people.slice(0, 10).map(({ name }) => publisher.publish({ channel: `user:${name}`, event: 'n', data: sent })),
      )
      expect(answers.every(({ ok }) => ok)).toBe(true)
    }
    await allGone()
    await Promise.all(closed)
    // They left because they were told to, long before nginx would have closed what is left.
    await ended
    expect(awake.stop()).toBeLessThan(25_000)
    const pace = paceOf(gone)
    // While this process stands still nobody leaves, and then all at once.
    if (stalls.length === 0) expect(pace).toBeLessThan(SLACK)
    await Promise.all(people.map(({ live }) => live.at('socket')))
    for (const { inbox } of people.slice(0, 10)) {
      await inbox.until(sent)
      expect([inbox.numbers, inbox.lost]).toEqual([upTo(sent), []])
    }
    // What waits for a login is back as well, through the new one.
    for (const browser of [...browsers, ...engines]) await browser.next('connect')

    told.length = 0
    gone.length = 0
    stalls.length = 0
    const stopped = cluster.nginx.kill('SIGQUIT')
    await until(
      async () => told.length,
      (lines) => lines === 2,
    )
    expect(toldOf()).toBe(all - OTHERS)
    await stopped
    expect(await cluster.nginx.exited).toEqual({ code: 0, signal: null })
    await allGone()
    const endPace = paceOf(gone)
    if (stalls.length === 0) expect(endPace).toBeLessThan(SLACK)
    process.stdout.write(
      `nginx anew: ${all} sockets, busiest second ${pace.toFixed(2)} of the mean, at its end ${endPace.toFixed(2)}\n`,
    )
    for (const browser of [...browsers, ...engines]) browser.close()
  },
  TEST_MS,
)
