import { fileURLToPath } from 'node:url'
import { RedisUnavailable } from '@saoma/redis'
import {
  createTicket,
  freePort,
  type Gateway,
  type Line,
  plainEnv,
  request,
  startGateway,
  startProcess,
  startRedis,
} from '@saoma/testing'
import { createPatience } from '../src/operate/patience.ts'
import { openOperator } from './fixtures.ts'

const origin = 'http://127.0.0.1'

interface Waiting {
  /** Resolves when it listens. */
  started: Promise<Gateway>
  internalOrigin: string
  /** The next line in which it says what it waits for. */
  line: Promise<Line>
  waitLines: () => number
}

/** A node that begins to start and says why it does not go on. */
const startWaiting = async (redisUrl: string, nodeId = 'a'): Promise<Waiting> => {
  const internalPort = await freePort()
  let hear: (line: Line) => void
  let lines = 0
  const line = new Promise<Line>((resolve) => {
    hear = resolve
  })
  const started = startGateway({
    redisUrl,
    nodeId,
    origin,
    env: { INTERNAL_PORT: `${internalPort}` },
    onLine: (said) => {
      if (said.json?.event !== 'waiting') return
      lines++
      hear(said)
    },
  })
  // Whoever waits for it hears of its end.
  started.catch(() => {})
  return { started, internalOrigin: `http://127.0.0.1:${internalPort}`, line, waitLines: () => lines }
}

const ask = (node: Waiting, path: string) => request(`${node.internalOrigin}${path}`)

test('a node that starts without Redis waits, says so, and serves when Redis comes', async () => {
  const port = await freePort()
  const began = performance.now()
  const node = await startWaiting(`redis://127.0.0.1:${port}`)
  const sentence = expect.stringMatching(
    new RegExp(
      `^Redis at 127.0.0.1:${port}: .*ECONNREFUSED.*The node waits for it: REDIS_URL names 127.0.0.1:${port}$`,
    ),
  )
  expect((await node.line).json).toMatchObject({ level: 'error', msg: sentence })
  expect(await ask(node, '/healthz')).toMatchObject({ status: 200, body: { ok: true } })
  const starting = {
    ok: false,
    reasons: ['starting'],
    why: expect.stringContaining(`REDIS_URL names 127.0.0.1:${port}`),
  }
  expect(await ask(node, '/startupz')).toMatchObject({ status: 503, body: starting })
  expect(await ask(node, '/readyz')).toMatchObject({ status: 503, body: starting })
  const { status, body } = await ask(node, '/metrics')
  expect([status, body]).toEqual([200, expect.stringContaining('saoma_redis_up{client="data"} 0')])

  await startRedis({ port })
  const { origin: door } = await node.started
  expect(await ask(node, '/startupz')).toMatchObject({ status: 200, body: { ok: true } })
  expect(await ask(node, '/readyz')).toMatchObject({ status: 200, body: { ok: true, reasons: [], warnings: [] } })
  await createTicket(door)
  // A line each ten seconds, however often it tried.
  expect(node.waitLines()).toBeLessThanOrEqual(1 + Math.floor((performance.now() - began) / 10_000))
})

test('a node that is told to stop while it waits ends in order', async () => {
  const node = await startProcess({
    name: 'a node',
    command: process.execPath,
    args: [fileURLToPath(new URL('../src/main.ts', import.meta.url))],
    env: {
      ...plainEnv(),
      HOST: '127.0.0.1',
      PORT: '0',
      INTERNAL_PORT: '0',
      REDIS_URL: `redis://127.0.0.1:${await freePort()}`,
      SAOMA_ORIGIN: origin,
      SAOMA_SECRET: 'a secret of a test that nobody keeps',
      SAOMA_DEMO: 'true',
    },
    ready: ({ json }) => json?.event === 'waiting',
    readyTimeoutMs: 20_000,
  })
  await node.kill('SIGTERM')
  expect(await node.exited).toEqual({ code: 0, signal: null })
})

test.each([
  ['takes no writes', ['--min-replicas-to-write', '1'], 'NOREPLICAS', ['min-replicas-to-write', '0']],
  ['is full', ['--maxmemory', '1mb', '--maxmemory-policy', 'noeviction'], 'OOM', ['maxmemory', '100mb']],
] as const)('a node waits for a Redis that %s at the start', async (_, args, word, [name, value]) => {
  const redis = await startRedis({ args })
  const node = await startWaiting(redis.url)
  expect((await node.line).json?.msg).toContain(word)
  expect(await ask(node, '/readyz')).toMatchObject({ status: 503, body: { why: expect.stringContaining(word) } })
  const operator = await openOperator(redis.url)
  await operator.config('SET', name, value)
  await createTicket((await node.started).origin)
})

// Whatever is not an absence of Redis ends the waiting.
test('the reason for waiting is told at once and then every ten seconds', async () => {
  const told: [string, boolean][] = []
  let now = 0
  const patience = createPatience(
    (reason, isTime) => told.push([reason, isTime]),
    () => now,
  )
  patience.hear(new Error('a'))
  now = 9_999
  patience.hear(new Error('b', { cause: new Error('c') }))
  now = 10_000
  patience.hear(new Error('d'))
  expect(told).toEqual([
    ['a', true],
    ['b (c)', false],
    ['d', true],
  ])

  let tries = 0
  const answer = await patience.until(async () => {
    tries++
    if (tries < 3) throw new RedisUnavailable('away')
    return 'there'
  })
  expect([answer, tries]).toEqual(['there', 3])
  const wrong = new Error('not that')
  await expect(patience.until(() => Promise.reject(wrong))).rejects.toBe(wrong)
})
