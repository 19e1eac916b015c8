import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createTicket, freePort, type Gateway, onCleanup, startCluster, startGateway, startRedis } from '@saoma/testing'
import { watchOrigin } from '../src/operate/origin-watch.ts'

const origin = 'http://127.0.0.1'

/** What a node says instead of listening. */
const refusalOf = async (started: Promise<Gateway>): Promise<string> => {
  const message = await started.then(
    () => 'it started',
    (error: Error) => error.message,
  )
  expect(message).toMatch(/ended \(exit code 1\):\n/)
  const said = message.split('\n').slice(1)
  return said.filter((line) => !line.startsWith('{')).join('\n')
}

test('a second node of one name is refused, and the name is free at once after kill -9', async () => {
  const redis = await startRedis()
  const start = (nodeId: string) => startGateway({ redisUrl: redis.url, nodeId, origin })
  const first = await start('a')
  expect(await refusalOf(start('a'))).toMatch(
    new RegExp(`^Another node runs as "a" \\(process ${first.pid} on .+\\)\\. .+$`),
  )
  await createTicket(first.origin)
  await first.kill('SIGKILL')
  const second = await start('a')
  await createTicket(second.origin)
  await second.stop()
  await createTicket((await start('a')).origin)
})

test('a Redis that evicts data is refused with a sentence', async () => {
  const redis = await startRedis({ args: ['--maxmemory', '64mb', '--maxmemory-policy', 'allkeys-lru'] })
  expect(await refusalOf(startGateway({ redisUrl: redis.url, nodeId: 'a', origin }))).toMatch(
    /^Redis at .+ \(maxmemory-policy allkeys-lru\), .+: set noeviction\.$/,
  )
})

test.each([
  ['a database that is not there', (at: string) => `${at}/99`, /^Redis at .+ has no database of the number/],
  [
    'a wrong password',
    (at: string) => at.replace(':pw@', ':wrong@'),
    /^Redis at .+ does not take the user or the pass/,
  ],
])('%s in REDIS_CHANNELS_URL is refused with a sentence', async (_, change, sentence) => {
  const [logins, chat] = await Promise.all([startRedis(), startRedis({ password: 'pw' })])
  const env = { REDIS_CHANNELS_URL: change(chat.url) }
  expect(await refusalOf(startGateway({ redisUrl: logins.url, nodeId: 'a', origin, env }))).toMatch(sentence)
})

test('a secret that does not open the keys in Redis is refused with a sentence', async () => {
  const redis = await startRedis()
  const start = (secret: string) =>
    startGateway({ redisUrl: redis.url, nodeId: 'a', origin, env: { SAOMA_SECRET: secret } })
  await (await start('one secret of at least thirty-two')).stop()
  expect(await refusalOf(start('another secret, also of thirty-two'))).toMatch(/^SAOMA_SECRET does not open .+\.$/)
})

test.each(['PORT', 'INTERNAL_PORT'])('a %s that is taken is refused with a sentence', async (name) => {
  const redis = await startRedis()
  const other = createServer().listen(0, '127.0.0.1')
  onCleanup(() => other.close())
  await once(other, 'listening')
  const port = `${(other.address() as AddressInfo).port}`
  expect(await refusalOf(startGateway({ redisUrl: redis.url, nodeId: 'a', origin, env: { [name]: port } }))).toBe(
    `${name} ${port} is taken on 127.0.0.1: another program listens there. Choose another`,
  )
})

describe('the origin', () => {
  const LOOKS = [0, 10, 10]
  const lost = (where: string): Promise<string> =>
    new Promise((resolve) => {
      const { close } = watchOrigin(where, resolve, LOOKS)
      onCleanup(close)
    })

  test('an origin that leads nowhere, or to somebody else, is reported once', async () => {
    let asked = 0
    const other = createServer((_, res) => {
      asked++
      res.end('{"issuer":"https://other.example"}')
    }).listen(0, '127.0.0.1')
    onCleanup(() => other.close())
    await once(other, 'listening')
    const where = `http://127.0.0.1:${(other.address() as AddressInfo).port}`
    expect(await lost(where)).toBe('something else answers there (status 200)')
    expect(asked).toBe(LOOKS.length)
    expect(await lost(`http://127.0.0.1:${await freePort()}`)).toContain('ECONNREFUSED')
  })

  test('an origin that leads here through nginx is not reported', async () => {
    const { origin: here } = await startCluster({ nodes: 1 })
    const told: string[] = []
    const seen = fetch(`${here}/oidc/.well-known/openid-configuration`).then((answer) => answer.json())
    expect(await seen).toMatchObject({ issuer: `${here}/oidc` })
    const stray = lost(`${here}/no`)
    const { close } = watchOrigin(here, (why) => told.push(why), LOOKS)
    await stray
    close()
    expect(told).toEqual([])
  })
})
