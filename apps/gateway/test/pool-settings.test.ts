import { ConfigError, readConfig } from '../src/config/config.ts'
import { openStore } from '../src/login/qr/open-pool.ts'

const real = {
  SAOMA_ORIGIN: 'https://login.example.com',
  SAOMA_SECRET: 'x'.repeat(32),
  WECHAT_APPID: 'wx0123456789abcdef',
  WECHAT_SECRET: 'a-secret',
}
const pool = { ...real, SAOMA_CODES: 'pool', SAOMA_POOL_STORE: '/codes' }

const problemsOf = (env: Record<string, string>): readonly string[] => {
  try {
    readConfig(env)
  } catch (error) {
    if (error instanceof ConfigError) return error.problems
    throw error
  }
  return []
}

test('there is no pool without settings, and a store alone fills none', () => {
  expect(readConfig(real)).toMatchObject({ codes: 'fresh' })
  expect(readConfig(real)).not.toHaveProperty('pool')
  expect(readConfig({ ...real, SAOMA_POOL_STORE: './codes' })).toMatchObject({
    codes: 'fresh',
    pool: { store: './codes', leases: 20, min: 100, max: 10_000 },
  })
})

test('all settings together make a pool', () => {
  const cdn = { SAOMA_POOL_STORE: 's3://codes/login', SAOMA_POOL_CDN: 'https://cdn.example.com/codes/' }
  const more = { SAOMA_POOL_ADDRESSING: 'path' }
  expect(
    readConfig({ ...pool, ...cdn, ...more, SAOMA_POOL_LEASES: '5', SAOMA_POOL_MIN: '7', SAOMA_POOL_MAX: '7' }),
  ).toMatchObject({
    codes: 'pool',
    pool: {
      store: 's3://codes/login',
      cdn: 'https://cdn.example.com/codes',
      addressing: 'path',
      leases: 5,
      min: 7,
      max: 7,
    },
  })
})

test.each<[string, Record<string, string>, RegExp]>([
  ['another word', { ...pool, SAOMA_CODES: 'both' }, /^SAOMA_CODES must be fresh, pool or fresh-then-pool$/],
  ['no store', { ...pool, SAOMA_POOL_STORE: '' }, /^SAOMA_CODES=pool needs a place/],
  ['a store that is neither', { ...pool, SAOMA_POOL_STORE: 'codes' }, /^SAOMA_POOL_STORE must be a folder/],
  ['another kind of store', { ...pool, SAOMA_POOL_STORE: 'gs://codes' }, /^SAOMA_POOL_STORE must be a folder/],
  [
    'no mini-program',
    { ...pool, WECHAT_APPID: '', WECHAT_SECRET: '', SAOMA_AUTH_URL: 'https://shop.example.com/auth' },
    /^SAOMA_CODES=pool needs WECHAT_APPID and WECHAT_SECRET/,
  ],
  [
    'the demo',
    { ...pool, SAOMA_DEMO: 'true', WECHAT_API: 'http://127.0.0.1:9000' },
    /^SAOMA_CODES=pool is not for SAOMA_DEMO/,
  ],
  [
    'another addressing',
    { ...pool, SAOMA_POOL_ADDRESSING: 'host' },
    /^SAOMA_POOL_ADDRESSING must be path, virtual-hosted/,
  ],
  ['an addressing of a folder', { ...pool, SAOMA_POOL_ADDRESSING: 'path' }, /^SAOMA_POOL_ADDRESSING is about a bucket/],
  ['a CDN of nothing', { ...real, SAOMA_POOL_CDN: 'https://cdn.example.com' }, /^SAOMA_POOL_CDN says where/],
  ['a CDN with a query', { ...pool, SAOMA_POOL_CDN: 'https://cdn.example.com/?a' }, /^SAOMA_POOL_CDN must be a URL/],
  ['a CDN that pages refuse', { ...pool, SAOMA_POOL_CDN: 'http://cdn.example.com' }, /^SAOMA_POOL_CDN must be https/],
  [
    'more than there is',
    { ...pool, SAOMA_POOL_MIN: '11', SAOMA_POOL_MAX: '10' },
    /^SAOMA_POOL_MIN must not be greater/,
  ],
  ['more than Redis can list in one go', { ...pool, SAOMA_POOL_MAX: '100001' }, /^SAOMA_POOL_MAX /],
  ['numbers that run out', { ...pool, SAOMA_POOL_LEASES: '61' }, /^SAOMA_POOL_LEASES /],
])('%s: the setting is refused in one sentence', (_, env, sentence) => {
  expect(problemsOf(env)).toEqual([expect.stringMatching(sentence)])
})

test('a bucket addressed by its own domain must name that domain', () => {
  const { pool: settings } = readConfig({ ...pool, SAOMA_POOL_STORE: 's3://codes', SAOMA_POOL_ADDRESSING: 'domain' })
  if (!settings) throw new Error('there is no pool')
  expect(() => openStore(settings)).toThrow(ConfigError)
})
