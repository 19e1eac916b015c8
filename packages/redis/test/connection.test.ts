import { closeOf, onCleanup, type RedisServer, startRedis } from '@saoma/testing'
import {
  type Connection,
  connect,
  createRedis,
  orUnavailable,
  type RedisClients,
  RedisUnavailable,
  scriptsIn,
  whenReady,
} from '../src/index.ts'

const script = scriptsIn('test', new URL('./fixtures/', import.meta.url))

const READY_MS = 10_000
/** What a caller hears that was kept waiting for three seconds. */
const SLOW = expect.objectContaining({ message: expect.stringContaining('timed out') })

const open = async (server: RedisServer): Promise<RedisClients> => {
  const redis = await createRedis({ url: server.url })
  onCleanup(() => redis.close())
  return redis
}

/** A connection that only does what it is told: nothing of a node writes over it. */
const openPlain = async (server: RedisServer): Promise<Connection> => {
  const connection = connect({ url: server.url, name: 'operator', onError: () => {} })
  onCleanup(() => connection.disconnect())
  await whenReady(connection, READY_MS)
  return connection
}

const failureOf = (work: Promise<unknown>): Promise<unknown> =>
  work.then(
    () => undefined,
    (error: unknown) => error,
  )

test('commands fail fast with RedisUnavailable while Redis is down, and recover with it', async () => {
  const server = await startRedis()
  const { data, unavailable } = await open(server)
  expect(unavailable()).toEqual([])
  const closed = closeOf(data)
  await server.kill('SIGKILL')
  await closed

  for (let i = 0; i < 20; i++) {
    const error = await failureOf(orUnavailable(data.get('key')))
    expect(error).toBeInstanceOf(RedisUnavailable)
    expect(error).not.toMatchObject({ cause: SLOW })
  }
  expect(unavailable()).toContain('data')

  await server.restart()
  await whenReady(data, READY_MS)
  expect(await orUnavailable(data.set('key', 'value'))).toBe('OK')
})

test('a command under way on a lost connection fails at once and is not sent again', async () => {
  const server = await startRedis()
  const { data } = await open(server)
  const operator = await openPlain(server)
  const id = await data.client('ID')
  // Redis holds the write back, so that it is certainly in flight when its connection is cut.
  await operator.call('CLIENT', 'PAUSE', '20000', 'WRITE')
  const write = failureOf(orUnavailable(data.incr('counter')))
  await operator.call('CLIENT', 'KILL', 'ID', `${id}`)
  const error = await write
  expect(error).toBeInstanceOf(RedisUnavailable)
  expect(error).not.toMatchObject({ cause: SLOW })

  await whenReady(data, READY_MS)
  await operator.call('CLIENT', 'UNPAUSE')
  // Everything that this connection had to send again would be in front of this.
  expect(await data.get('counter')).toBeNull()
})

test('a Redis that does not answer is RedisUnavailable within the command timeout', async () => {
  const server = await startRedis()
  const { data } = await open(server)
  await server.kill('SIGSTOP')
  expect(await failureOf(orUnavailable(data.ping()))).toMatchObject({ name: 'RedisUnavailable', cause: SLOW })
  await server.kill('SIGCONT')
  expect(await orUnavailable(data.ping())).toBe('PONG')
})

test('temporary states of the server are RedisUnavailable; our own mistakes are not', async () => {
  const server = await startRedis({ args: ['--maxmemory', '1', '--maxmemory-policy', 'noeviction'] })
  const { data } = await open(server)
  await expect(orUnavailable(data.set('key', 'value'))).rejects.toThrow(RedisUnavailable)
  const mistake = orUnavailable(data.call('NO-SUCH-COMMAND'))
  await expect(mistake).rejects.not.toBeInstanceOf(RedisUnavailable)
  await expect(mistake).rejects.toThrow('unknown command')
})

test('createRedis rejects with RedisUnavailable and its cause when there is no Redis', async () => {
  const server = await startRedis()
  await server.kill()
  const errors: string[] = []
  const opening = createRedis({ url: server.url, readyTimeoutMs: 2_000, onError: (_, role) => errors.push(role) })
  await expect(opening).rejects.toMatchObject({
    name: 'RedisUnavailable',
    cause: expect.objectContaining({ code: 'ECONNREFUSED' }),
  })
  expect(new Set(errors)).toEqual(new Set(['data', 'pub', 'sub']))
})

test('a script is loaded again after Redis has forgotten it', async () => {
  const server = await startRedis()
  const { data } = await open(server)
  const add = script<[key: string], [number], number>('add', 1, Number)
  expect(await add(data, ['sum'], [2])).toBe(2)
  await data.script('FLUSH')
  expect(await add(data, ['sum'], [3])).toBe(5)
})

/**
 * Each way in which Redis refuses for a while, as an operator or a fault brings it about, and how it ends.
 */
const troubles: [
  name: string,
  begin: (server: RedisClients['data']) => unknown,
  end: (server: RedisClients['data']) => unknown,
][] = [
  ['full', (s) => s.call('CONFIG', 'SET', 'maxmemory', '1'), (s) => s.call('CONFIG', 'SET', 'maxmemory', '0')],
  [
    'without its replicas',
    (s) => s.call('CONFIG', 'SET', 'min-replicas-to-write', '1'),
    (s) => s.call('CONFIG', 'SET', 'min-replicas-to-write', '0'),
  ],
  ['a replica', (s) => s.call('REPLICAOF', '127.0.0.1', '1'), (s) => s.call('REPLICAOF', 'NO', 'ONE')],
]

test.each(troubles)(
  'with a Redis that is %s, writes and scripts are RedisUnavailable and reads go on',
  async (_, begin, end) => {
    const server = await startRedis()
    const [{ data }, operator] = [await open(server), await openPlain(server)]
    await data.set('key', 'value')
    await begin(operator)
    const writes = {
      command: () => data.set('key', 'other'),
      transaction: () => data.multi().set('key', 'other').get('key').exec(),
      script: () => data.eval("return redis.call('SET', KEYS[1], 'other')", 1, 'key'),
      strictScript: () => data.eval("#!lua\nreturn redis.call('SET', KEYS[1], 'other')", 1, 'key'),
    }
    const refused: Record<string, unknown> = {}
    for (const [name, write] of Object.entries(writes))
      refused[name] = await orUnavailable<unknown>(write()).catch((error: unknown) => error instanceof RedisUnavailable)
    expect(refused).toEqual({ command: true, transaction: true, script: true, strictScript: true })
    // By another connection: READONLY makes one connect anew, and a node's writes come back by themselves.
    expect(await orUnavailable(operator.get('key'))).toBe('value')
    await end(operator)
    expect(await orUnavailable(operator.set('key', 'other'))).toBe('OK')
  },
)

test('a Redis kept busy by a script, and that script once killed, are RedisUnavailable', async () => {
  const server = await startRedis({ args: ['--busy-reply-threshold', '20'] })
  const { data } = await open(server)
  const { data: operator } = await open(server)
  const endless = orUnavailable(operator.eval('while true do end', 0)).catch((error: unknown) => error)
  const isBusy = (error: unknown) => error instanceof RedisUnavailable && `${error.cause}`.includes('BUSY')
  let answer: unknown
  while (!isBusy(answer)) answer = await orUnavailable(data.get('key')).catch((error: unknown) => error)
  await expect(orUnavailable(data.multi().set('key', 'value').exec())).rejects.toThrow(RedisUnavailable)
  await data.call('SCRIPT', 'KILL')
  expect(await endless).toBeInstanceOf(RedisUnavailable)
})

// A transaction with a mistake of ours stays our mistake.
test('a script that allows it runs in a full Redis', async () => {
  const server = await startRedis()
  const { data } = await open(server)
  await data.config('SET', 'maxmemory', '1')
  const refused = script<[string], [string], unknown>('set', 1, (raw) => raw)
  const allowed = script<[string], [string], unknown>('set', 1, (raw) => raw, { allowOom: true })
  await expect(refused(data, ['key'], ['value'])).rejects.toThrow(RedisUnavailable)
  expect(await allowed(data, ['key'], ['value'])).toBe('OK')
  await data.config('SET', 'maxmemory', '0')
  await expect(orUnavailable(data.multi().call('NOSUCHCOMMAND').set('key', 'x').exec())).rejects.toThrow('EXECABORT')
})
