import { fileURLToPath } from 'node:url'
import { connectLogin, type Gateway, request, startCluster, startGateway, startRedis } from '@saoma/testing'
import { nodeAt } from './fixtures.ts'

/** What a node does when something throws that nobody catches. */
const NODE_OPTIONS = `--import=${fileURLToPath(new URL('./thrower.ts', import.meta.url))}`

const fatal = ({ lines }: Gateway) => lines.filter(({ json }) => json?.level === 'fatal')
/** What is no line of the log: Node's own word of an exception, for instance. */
const stray = ({ lines }: Gateway) => lines.filter(({ json }) => !json)
const isFatal = ({ json }: Gateway['lines'][number]) => json?.level === 'fatal'

const start = async (env: Record<string, string> = {}): Promise<Gateway> => {
  const redis = await startRedis()
  return startGateway({ redisUrl: redis.url, nodeId: 'a', origin: 'http://127.0.0.1', env: { NODE_OPTIONS, ...env } })
}

test('an uncaught error is one fatal line; the node sends browsers away and exits with 1', async () => {
  const cluster = await startCluster({ nodes: 2, env: { NODE_OPTIONS, SAOMA_DRAIN_WINDOW_MS: '3000' } })
  const [breaks, stays] = [nodeAt(cluster.nodes, 0), nodeAt(cluster.nodes, 1)]
  const browser = connectLogin(breaks.origin, { reconnection: false })
  await browser.next('connect')
  await breaks.kill('SIGUSR2')
  const { json } = await breaks.nextLine(isFatal)
  expect(json).toMatchObject({
    event: 'uncaughtException',
    node: 'a',
    err: { type: 'Error', message: 'a surprise of a test, number 1', stack: expect.stringContaining('thrower.ts') },
  })
  // It is on its way out, as after a signal.
  expect((await request(`${breaks.internalOrigin}/readyz`)).body).toMatchObject({ reasons: ['draining'] })
  expect(await browser.next('drain')).toMatchObject({ resumeAfterMs: expect.any(Number) })
  expect(await breaks.exited).toEqual({ code: 1, signal: null })
  expect(fatal(breaks)).toHaveLength(1)
  expect(stray(breaks)).toEqual([])
  expect(breaks.lines.at(-1)?.json).toMatchObject({ event: 'stopped' })
  // All that was said before it is there, too.
  expect(breaks.lines.some(({ json: line }) => line?.event === 'listening')).toBe(true)
  expect((await request(`${stays.internalOrigin}/readyz`)).status).toBe(200)
})

const LONG = { SAOMA_DRAIN_DELAY_MS: '60000', SAOMA_DRAIN_DEADLINE_MS: '69000' }

test('a second uncaught error ends the node at once', async () => {
  const node = await start(LONG)
  await node.kill('SIGUSR2')
  await node.nextLine(({ json }) => json?.event === 'stopping')
  await node.kill('SIGUSR2')
  expect(await node.exited).toEqual({ code: 1, signal: null })
  expect(fatal(node).map(({ json }) => json?.err)).toMatchObject([
    { message: 'a surprise of a test, number 1' },
    { message: 'a surprise of a test, number 2' },
  ])
})

test('an uncaught error during a stop ends the node at once', async () => {
  const node = await start(LONG)
  const stopped = node.kill('SIGTERM')
  await node.nextLine(({ json }) => json?.event === 'stopping')
  await node.kill('SIGUSR2')
  await stopped
  expect(await node.exited).toEqual({ code: 1, signal: null })
  expect(fatal(node)).toHaveLength(1)
})

test('after an uncaught error the first signal changes nothing, and the second does not wait', async () => {
  const node = await start(LONG)
  await node.kill('SIGUSR2')
  await node.nextLine(({ json }) => json?.event === 'stopping')
  const stopped = node.kill('SIGTERM')
  expect((await request(`${node.internalOrigin}/healthz`)).status).toBe(200)
  await node.kill('SIGINT')
  await stopped
  expect(await node.exited).toEqual({ code: 1, signal: null })
})

test('an uncaught error before listening ends the node at once and says why', async () => {
  const message = await start({ THROW_AT_START: 'yes' }).then(
    () => 'it started',
    (error: Error) => error.message,
  )
  expect(message).toContain('ended (exit code 1)')
  expect(message).toContain('a surprise of a test, number 1')
})
