import { onCleanup, startRedis, until } from '@saoma/testing'
import { connect, createRedis, orUnavailable, RedisUnavailable, scriptsIn, whenReady } from '../src/index.ts'

const BEAT_MS = 50

const setup = async () => {
  const server = await startRedis({ user: { name: 'saoma', rights: '~* &* +@all' }, password: 'pw' })
  const operator = connect({ ...server.operator, name: 'operator', onError: () => {} })
  onCleanup(() => operator.disconnect())
  await whenReady(operator, 5_000)
  const told: { word: string | undefined; message: string }[] = []
  const errors: string[] = []
  const open = async (probeMs: number) => {
    const redis = await createRedis({
      url: server.url,
      probeMs,
      onError: (error, role) => errors.push(`${role}: ${error.message}`),
      onRefusal: (_, word, error) => told.push({ word, message: error?.message ?? '' }),
    })
    onCleanup(() => redis.close())
    return redis
  }
  const rights = (...rules: string[]) => operator.call('ACL', 'SETUSER', 'saoma', ...rules)
  return { operator, told, errors, open, rights }
}

// The same holds for transactions.
test('a right removed at run time makes commands and scripts RedisUnavailable', async () => {
  const { open, rights } = await setup()
  const { data } = await open(0)
  const script = scriptsIn('test', new URL('./fixtures/', import.meta.url))<[string], [string], unknown>(
    'set',
    1,
    (raw) => raw,
  )
  expect(await script(data, ['key'], ['value'])).toBe('OK')
  await rights('-set')
  await expect(orUnavailable(data.set('key', 'x'))).rejects.toThrow(RedisUnavailable)
  await expect(orUnavailable(data.multi().set('key', 'x').exec())).rejects.toThrow(RedisUnavailable)
  await expect(script(data, ['key'], ['value'])).rejects.toThrow(RedisUnavailable)
  await rights('+set', '-evalsha', '-eval')
  await expect(script(data, ['key'], ['value'])).rejects.toThrow(RedisUnavailable)
  await rights('+@all', 'resetkeys', '~other')
  await expect(script(data, ['key'], ['value'])).rejects.toThrow(RedisUnavailable)
  // A mistake of ours stays one.
  await expect(orUnavailable(data.call('NO-SUCH-COMMAND'))).rejects.toThrow('unknown command')
})

// The report has the line that gives the right back.
test('a missing right that the beat does not use is reported too, and recovers', async () => {
  const { open, rights, told } = await setup()
  const redis = await open(BEAT_MS)
  await rights('-xadd', '-ssubscribe')
  await until(
    async () => redis.unavailable(),
    (roles) => roles.includes('data'),
  )
  expect(redis.refusal('data')).toBe('NOPERM')
  expect(told).toEqual([
    { word: 'NOPERM', message: expect.stringMatching(/^Redis at .*: ACL SETUSER saoma \+xadd \+ssubscribe$/) },
  ])
  await rights('+xadd', '+ssubscribe')
  await until(
    async () => redis.unavailable(),
    (roles) => roles.length === 0,
  )
  expect(told.at(-1)?.word).toBeUndefined()
})

test('the line is reported even if the beat is refused first', async () => {
  const { open, rights, errors } = await setup()
  const redis = await open(BEAT_MS)
  await rights('-spublish')
  await until(
    async () => errors.filter((error) => error.includes('ACL SETUSER')),
    (lines) => lines.length > 0,
  )
  expect(errors.join()).toMatch(/^data: Redis at .*: ACL SETUSER saoma \+spublish$/)
  expect(redis.refusal('data')).toBe('NOPERM')
})

test('a refused command of the product is examined at once', async () => {
  const { open, rights } = await setup()
  // So that no look of its own comes within this test.
  const redis = await open(10_000)
  await rights('-xadd')
  await expect(redis.data.xadd('saoma:log', '*', 'a', '1')).rejects.toThrow('NOPERM')
  await until(
    async () => redis.refusal('data'),
    (word) => word === 'NOPERM',
  )
})

test('a right that a node can do without is not reported', async () => {
  const { operator, open, rights, told } = await setup()
  const redis = await open(BEAT_MS)
  await rights('-info')
  await expect(redis.data.info('memory')).rejects.toThrow('NOPERM')
  // A look leaves its mark: it tries INCR, which nobody else does here.
  await operator.config('RESETSTAT')
  await until(
    async () => String(await operator.call('INFO', 'commandstats')),
    (info) => info.includes('cmdstat_incr:'),
  )
  // On a machine that is busy elsewhere an echo comes late.
  await until(
    async () => redis.unavailable(),
    (roles) => roles.length === 0,
  )
  expect(told).toEqual([])
})
