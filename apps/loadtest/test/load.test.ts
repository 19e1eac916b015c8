import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { type Cluster, launchBrowser, startCluster, startRedis, testApiKey } from '@saoma/testing'
import { startLyingWay } from './lying-way.ts'
import { readResult, reportFolder, runLoad } from './run-load.ts'

/** Enough for the runs here but for the one that is to meet it. */
const CODES_PER_MINUTE = 60

let cluster: Cluster
let folder: string
beforeAll(async () => {
  cluster = await startCluster({ env: { SAOMA_LIMIT_CODES: `${CODES_PER_MINUTE}` } })
  folder = await reportFolder()
})
let browser: Awaited<ReturnType<typeof launchBrowser>>
beforeAll(async () => {
  browser = await launchBrowser()
}, 90_000)

const load = (...args: string[]) => runLoad(...args, '--url', cluster.origin, '--workers', '1', '--ramp', '500ms')

const page = () => join(folder, 'login.html')

test('logins that meet expectations end with 0, a table and JSON', async () => {
  const json = join(folder, 'login.json')
  const { code, text } = await load(
    'login',
    ...['--logins', '5', '--duration', '2s', '--json', json, '--html', page()],
    ...['--expect', 'confirm.p99<5m,lost==0,wrong==0,errors==0,login.rate>0'],
  )
  if (code !== 0) throw new Error(text)
  expect(text).toMatch(/^confirm +\d+ /m)
  expect(text).toMatch(/^met +confirm\.p99<5m: /m)

  const result = await readResult(json)
  // 2 s of five, and what the ramp begins: a triangle of half a second.
  expect(result.counts).toMatchObject({ lost: 0, wrong: 0, errors: 0 })
  expect(result.counts.logins).toBeGreaterThanOrEqual(10)
  for (const name of ['create', 'watch', 'scan', 'confirm', 'redeem', 'login'] as const) {
    const time = result.times[name]
    expect(time?.count).toBeGreaterThan(0)
    expect(time?.p50).toBeLessThanOrEqual(time?.max ?? 0)
    expect(time?.curve.length).toBeGreaterThan(1)
  }
  expect(result.times.login?.p50).toBeGreaterThan(result.times.confirm?.p50 ?? Number.POSITIVE_INFINITY)
})

test('the page of that run loads nothing from anywhere', async () => {
  const shown = await browser.newPage()
  const complaints: string[] = []
  const requests: string[] = []
  shown.on('console', (message) => complaints.push(message.text()))
  shown.on('pageerror', (error) => complaints.push(error.message))
  shown.on('request', (request) => requests.push(request.url()))
  const address = pathToFileURL(page()).href
  await shown.goto(address)
  expect(await shown.locator('figure canvas').count()).toBeGreaterThan(6)
  expect(await shown.locator('.verdict').allTextContents()).toContain('lost==0met: 0')
  expect(complaints).toEqual([])
  expect(requests).toEqual([address])
})

// The first machine has the result. The run is a storm among messages.
test('two machines that meet in a Redis are one run with one result', async () => {
  const redis = await startRedis()
  const json = join(folder, 'two.json')
  const together = ['--coordinator', redis.url, '--run', 'two', '--machines', '2', '--duration', '4s', '--json', json]
  const scenario = [
    'storm',
    'inbox',
    'fanout',
    '--browsers',
    '10',
    '--people',
    '6',
    '--messages',
    '20',
    '--subscribers',
    '6',
    '--broadcasts',
    '4',
  ]
  const machine = () => load(...scenario, ...together, '--api-key', testApiKey)
  const runs = await Promise.all([machine(), machine()])
  for (const { code, text } of runs) if (code !== 0) throw new Error(text)
  expect(runs.map(({ text }) => /Another machine leads/.test(text)).sort()).toEqual([false, true])
  const result = await readResult(json)
  expect(result).toMatchObject({ machines: 2, workers: 2, connected: { max: 22 } })
  expect(result.counts).toMatchObject({ lost: 0, duplicated: 0, disordered: 0, wrong: 0, errors: 0 })
  expect(result.counts.reconnects).toBe(10)
  expect(result.outages).toMatchObject([{ fault: 'storm', what: '10 browsers', greenAt: expect.any(Number) }])
  // Six subscribers on two machines, and what each published reached all of them.
  expect(result.times.fanout?.count).toBeGreaterThan(result.times.broadcast?.count ?? Number.POSITIVE_INFINITY)
})

test('acknowledged messages that never arrived are lost, by number and by name', async () => {
  const way = await startLyingWay(cluster.origin)
  const json = join(folder, 'lost.json')
  // Nothing is published to people who have not joined yet, and on a busy machine that takes seconds.
  const much = ['--people', '4', '--messages', '10', '--duration', '4s', '--ramp', '500ms', '--workers', '1']
  const to = ['--url', way.url, '--api-key', testApiKey, '--patience', '1s', '--json', json]
  const { code, text } = await runLoad('inbox', ...much, ...to)
  expect(way.lies()).toBeGreaterThan(0)
  const { counts, named } = await readResult(json)
  expect(counts).toMatchObject({ lost: way.lies(), duplicated: 0, disordered: 0, wrong: 0, errors: 0 })
  expect(counts.received).toBe(counts.published - way.lies())
  expect(named.lost[0]).toMatch(/^user:\S+: \S+ never got x1Y2z3W4:\d/)
  expect(text).toMatch(/^NOT MET +lost==0: \d+$/m)
  expect(code).toBe(1)
})

// A rate limit that was met is named as what was measured.
test('failed conditions are named and end with 1', async () => {
  const much = ['--browsers', `${2 * CODES_PER_MINUTE}`, '--duration', '1s']
  const { code, text } = await load('idle', ...much, '--expect', 'connect.p50<1us,reconnects==0')
  expect(code).toBe(1)
  expect(text).toMatch(/^NOT MET +connect\.p50<1us: /m)
  expect(text).toMatch(/^met +reconnects==0: 0$/m)
  expect(text).toMatch(/^ +\d+ +429 /m)
  expect(text).toMatch(/\d+ times a rate limit answered \(429\).*Raise SAOMA_LIMIT_CODES/)
})

test('an address without Saoma ends with 2 and one sentence', async () => {
  const { internalOrigin = '' } = cluster.nodes[0] ?? {}
  expect(await runLoad('login', '--url', internalOrigin)).toEqual({
    code: 2,
    text: `--url: what answers at ${internalOrigin} is no Saoma (status 404)`,
  })
})
