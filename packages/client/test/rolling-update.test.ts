import { mkdtemp, readFile, rm, symlink, unlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import {
  anotherBuild,
  type Cluster,
  confirm,
  connectLogin,
  createKubelet,
  createTicket,
  ensurePage,
  nodeIds,
  onCleanup,
  pageFolder,
  phoneToken,
  poll,
  publish,
  readPodTimes,
  redeem,
  scan,
  startCluster,
} from '@saoma/testing'
import { createLogin } from '../src/login/login.ts'
import { startBusiness } from './business.ts'
import { busiestSecond, watchStalls } from './pace.ts'
import { loadParts, type Visit, visit } from './page-visits.ts'
import { listen, openLive, upTo } from './visitor.ts'

/** The long run is `ROLLING_SOCKETS=2000`; with `ROLLING_NODES=2` there is only one other to go to. */
const SOCKETS = Number(process.env.ROLLING_SOCKETS ?? 120)
const POLLERS = 12
/** Who come at once: a storm of them is another test's. */
const AT_ONCE = 40
const NODES = Number(process.env.ROLLING_NODES ?? 3)
/** Messages and logins that are begun in a second, whatever became of those before. */
const MESSAGES_PER_SECOND = 15
const LOGINS_PER_SECOND = 3
const VISITS_PER_SECOND = 1
const PAGES = ['/', '/chat.html', '/verify', '/table.html']
/** No test waits for it: it ends one that hangs. */
const TEST_MS = 180_000 + SOCKETS * 60

/** A return may take so long after its moment on a busy machine. */
const LATE_MS = 2_000

/**
 * nginx has a fixed list of nodes here, so nobody hears of the end before it comes: that is harder than in
 * Kubernetes, and sleeping proves nothing.
 */
const NO_SLEEP = { preStopMs: 0, periodMs: 200 }

/** A line of nginx's log; `time` to the second. */
interface Answer {
  time: string
  method: string
  path: string
  status: number
  upstream: string
  request: string
}

let cluster: Cluster
/**
 * Requests for which the business did not answer in time: it lives in this process, which a busy machine may
 * hold up.
 */
const unanswered = new Set<unknown>()
/** What each node takes for its build: a link. */
let builds: string
const buildOf = (nodeId: string) => join(builds, nodeId)
beforeAll(async () => {
  await ensurePage(() => {})
  builds = await mkdtemp(join(tmpdir(), 'saoma-builds-'))
  onCleanup(() => rm(builds, { recursive: true }))
  for (const id of nodeIds(NODES)) await symlink(pageFolder, buildOf(id))
  cluster = await startCluster({
    nodes: NODES,
    envOf: (id) => ({ SAOMA_WEB_ROOT: buildOf(id) }),
    onLine: (_, { json }) => {
      if (json?.code === 'BACKEND_UNAVAILABLE') unanswered.add(json.request)
    },
    env: { SAOMA_AUTH_URL: await startBusiness(), SAOMA_DRAIN_WINDOW_MS: '6000' },
  })
}, 90_000)

/** Begins `work` at a steady rate until `over`, and resolves with all of it. */
const steadily = async <T>(perSecond: number, over: AbortSignal, work: (i: number) => Promise<T>): Promise<T[]> => {
  const begun: Promise<T>[] = []
  const from = performance.now()
  while (!over.aborted) {
    await delay(Math.max(0, from + (begun.length * 1_000) / perSecond - performance.now()))
    begun.push(work(begun.length))
  }
  return Promise.all(begun)
}

/** A login without a socket, on any nodes: each answer as it came. */
const logInByHttp = async (phone: string): Promise<number[]> => {
  const { device_code, ticket } = await createTicket(cluster.origin)
  // A node that goes away answers a held poll with what there is.
  const waited = (async () => {
    let seen = await poll(cluster.origin, device_code, { after: 1, wait: 25 })
    while (seen.status === 200 && seen.body.status !== 'confirmed')
      seen = await poll(cluster.origin, device_code, { after: seen.body.version, wait: 25 })
    return seen.status
  })()
  const scanned = await scan(cluster.origin, ticket, phone)
  const confirmed = await confirm(cluster.origin, ticket, phone)
  const polled = await waited
  const redeemed = await redeem(cluster.origin, device_code)
  return [scanned.status, confirmed.status, polled, redeemed.status]
}

/** A login as the page does it, by the SDK. */
const logInByPage = (phone: string): Promise<number[]> =>
  new Promise((resolve, reject) => {
    const login = createLogin({ origin: cluster.origin })
    const statuses: number[] = []
    let acted = false
    login.on('state', (state) => {
      if (state.status !== 'waiting' || acted) return
      acted = true
      ;(async () => {
        statuses.push((await scan(cluster.origin, state.ticket, phone)).status)
        statuses.push((await confirm(cluster.origin, state.ticket, phone)).status)
      })().catch(reject)
    })
    login.on('tokens', () => {
      login.close()
      resolve([...statuses, 200])
    })
    login.start()
  })

// No request fails, no login fails, no message is lost, and nobody comes back in a storm.
test(
  `a rolling update of ${NODES} nodes with ${SOCKETS} sockets loses nothing`,
  async () => {
    const phone = await phoneToken(cluster.origin, 'alice')
    const returns: number[] = []
    const come = async (n: number) => {
      const transports = n > SOCKETS ? ['polling'] : ['websocket']
      const visitor = openLive({ origin: cluster.origin, token: () => `person${n}`, transports })
      const inbox = listen(visitor.live.channel('@user'))
      await Promise.all([visitor.at('socket'), inbox.at('live')])
      return { name: `person${n}`, ...visitor, inbox, sent: 0, publishing: Promise.resolve(0) }
    }
    const people: Awaited<ReturnType<typeof come>>[] = []
    while (people.length < SOCKETS + POLLERS) {
      const some = Math.min(AT_ONCE, SOCKETS + POLLERS - people.length)
      people.push(...(await Promise.all(upTo(some).map((n) => come(people.length + n)))))
    }
    // The moment at which somebody goes to another node; how long that one then takes is not what a drain can
    // pace.
    for (const { live } of people) {
      let before = live.state
      live.on('state', (state) => {
        if (before === 'socket') returns.push(Date.now())
        before = state
      })
    }
    // A client that knows nothing of `drain` and comes back after a second, as Socket.IO's own does.
    const stock = connectLogin(cluster.origin, { reconnectionDelay: 1_000 })
    const waiting = await createTicket(cluster.origin)
    stock.socket.on('connect', () => void stock.watch(waiting.device_code))
    await stock.next('connect')

    const stalls = watchStalls()
    const over = new AbortController()
    onCleanup(() => over.abort())
    const published = steadily(MESSAGES_PER_SECOND, over.signal, async (i) => {
      const person = people[i % people.length]
      if (!person) throw new Error('there is nobody')
      const data = ++person.sent
      // On a busy machine the one before may still be on its way, and whoever wants an order waits for it.
      const before = person.publishing
      const work = async () => {
        await before
        return (await publish(cluster.origin, { channel: `user:${person.name}`, event: 'n', data })).status
      }
      const publishing = work()
      person.publishing = publishing
      return publishing
    })
    const loggedIn = steadily(LOGINS_PER_SECOND, over.signal, (i) => (i % 2 ? logInByHttp(phone) : logInByPage(phone)))

    // Two builds from here on. What is open now asks for the rest of itself when all is over.
    const openBefore = await Promise.all(PAGES.map((path) => visit(cluster.origin, path)))
    const visited: Promise<Visit[]> = steadily(VISITS_PER_SECOND, over.signal, (i) =>
      visit(cluster.origin, PAGES[i % PAGES.length] ?? '/'),
    )
    const successor = await anotherBuild()
    const changeBuild = async ({ id }: { id: string }) => {
      await unlink(buildOf(id))
      await symlink(successor, buildOf(id))
    }

    const draining = Promise.all(
      cluster.nodes.map((node) => node.nextLine(({ json }) => json?.event === 'draining', TEST_MS)),
    )
    const replaced = await createKubelet({ ...(await readPodTimes()), ...NO_SLEEP }).rollingUpdate(
      cluster.nodes,
      changeBuild,
    )
    over.abort()
    for (const { exit } of replaced) expect(exit).toEqual({ code: 0, signal: null })

    const counts = Object.groupBy((await loggedIn).flat(), String)
    expect(Object.keys(counts)).toEqual(['200'])
    expect(Object.keys(Object.groupBy(await published, String))).toEqual(['200'])
    for (const { inbox, sent } of people) {
      if (sent > 0) await inbox.until(sent)
      expect(inbox.numbers).toEqual(upTo(sent))
      expect(inbox.lost).toEqual([])
    }

    const openAfter = await Promise.all(PAGES.map((path) => visit(cluster.origin, path)))
    const late = await Promise.all(openBefore.map(({ html }) => loadParts(cluster.origin, html)))
    const pages = [...openBefore, ...(await visited), ...openAfter]
    const parts = [...pages.flatMap(({ answers }) => answers), ...late.flat()]
    expect(parts.filter((answer) => !answer.startsWith('200 '))).toEqual([])
    // Of both builds, or nothing was shown.
    for (const [open, isAnother] of [
      [openBefore, false],
      [openAfter, true],
    ] as const)
      for (const { html } of open) expect(html.includes('-another1.js')).toBe(isAnother)

    // nginx saw every request of everybody, those of Engine.IO's polling too.
    const answers = (await readFile(cluster.nginx.accessLog, 'utf8')).trim().split('\n')
    const ends = (await draining).map(({ json }, i) => {
      const { time, windowMs } = json as { time: string; windowMs: number }
      return { upstream: `127.0.0.1:${cluster.nodes[i]?.port}`, at: Date.parse(time) + windowMs }
    })
    // Everybody was told a moment within the window. On a machine that stands still somebody says goodbye
    // later, to a closed door.
    const isLate = (line: Answer) =>
      line.method === 'POST' &&
      line.path === '/socket.io/' &&
      ends.some(({ upstream, at }) => line.upstream === upstream && Date.parse(line.time) + 1_000 > at)
    const failed = answers.filter((text) => {
      const line = JSON.parse(text) as Answer
      return line.status >= 500 && !unanswered.has(line.request) && !isLate(line)
    })
    expect(failed).toEqual([])

    // What each node promised: its sockets come back at a steady rate over its window.
    const paces = (await draining).flatMap(({ json }) => {
      const { time, sockets, windowMs } = json as { time: string; sockets: number; windowMs: number }
      const from = Date.parse(time)
      const during = (at: number) => at >= from && at < from + windowMs + LATE_MS
      expect(sockets).toBeGreaterThan(SOCKETS / NODES / 2)
      return stalls.some(during) ? [] : [busiestSecond(returns.filter(during)) / (sockets / (windowMs / 1_000))]
    })
    // A machine that stood still in the window of each of them tells nothing about that.
    for (const pace of paces) expect(pace).toBeLessThan(2)

    stock.close()
    // Four more drains would prove nothing.
    await Promise.all(cluster.nodes.map((node) => node.kill()))
    process.stdout.write(
      `rolling update: ${answers.length} requests, ${(await published).length} messages, ${(await loggedIn).length} logins, ` +
        `${pages.length} pages with ${parts.length} parts, ` +
        `${returns.length} returns (busiest second ${Math.max(...paces).toFixed(2)} of the mean), ends after ${replaced
          .map(({ stopMs }) => `${Math.round(stopMs)}`)
          .join(', ')} ms\n`,
    )
  },
  TEST_MS,
)
