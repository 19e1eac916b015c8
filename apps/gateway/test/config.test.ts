import { readFileSync } from 'node:fs'
import { ConfigError, readConfig } from '../src/config.ts'

const secret = 'x'.repeat(32)
const demo = { SAOMA_ORIGIN: 'http://127.0.0.1:8080', SAOMA_SECRET: secret, SAOMA_DEMO: 'true' }
const real = {
  SAOMA_ORIGIN: 'https://login.example.com',
  SAOMA_SECRET: secret,
  WECHAT_APPID: 'wx0123456789abcdef',
  WECHAT_SECRET: 'a-secret',
}

const problemsOf = (env: Record<string, string>): readonly string[] => {
  try {
    readConfig(env)
  } catch (error) {
    if (error instanceof ConfigError) return error.problems
    throw error
  }
  return []
}

test('every problem is reported at once, each with its name', () => {
  expect(
    problemsOf({
      SAOMA_ORIGIN: 'login.example.com/',
      PORT: '80a',
      SAOMA_TRUSTED_PROXIES: '10.0.0.0/99',
      REDIS_URL: 'localhost',
      SAOMA_DEMO: 'yes',
      SAOMA_NODE_ID: 'Node_1',
    }),
  ).toEqual([
    'SAOMA_ORIGIN must be an origin such as https://login.example.com',
    'SAOMA_NODE_ID must be 1 to 16 of a-z and 0-9',
    'PORT must be a whole number',
    expect.stringMatching(/^REDIS_URL must be of the form/),
    'SAOMA_SECRET is missing',
    'SAOMA_DEMO must be true or false',
    'SAOMA_TRUSTED_PROXIES must list addresses or networks such as 10.0.0.0/8',
  ])
})

test('demo mode refuses production and real WeChat credentials, but not the simulator', () => {
  expect(problemsOf({ ...demo, NODE_ENV: 'production' })).toEqual([expect.stringContaining('NODE_ENV=production')])
  expect(problemsOf({ ...real, SAOMA_DEMO: 'true' })).toEqual([expect.stringContaining('WeChat credentials')])
  expect(problemsOf({ ...real, SAOMA_DEMO: 'true', WECHAT_API: 'http://127.0.0.1:9000' })).toEqual([])
})

test('without demo mode there must be a mini-program', () => {
  expect(problemsOf({ SAOMA_ORIGIN: 'https://a.example', SAOMA_SECRET: secret })).toEqual([
    expect.stringContaining('WECHAT_APPID'),
  ])
  expect(problemsOf({ ...real, WECHAT_SECRET: '' })).toEqual([
    expect.stringContaining('go together'),
    expect.stringContaining('are needed'),
  ])
})

test('the secret of docker-compose.yml is for the demo only', () => {
  const published =
    readFileSync(new URL('../../../docker-compose.yml', import.meta.url), 'utf8').match(
      /SAOMA_SECRET:-([^}]+)}/,
    )?.[1] ?? ''
  expect(problemsOf({ ...demo, SAOMA_SECRET: published })).toEqual([])
  expect(problemsOf({ ...real, SAOMA_SECRET: published })).toEqual([expect.stringContaining('make your own')])
})

test('an empty setting is its default', () => {
  expect(readConfig({ ...demo, PORT: '', WECHAT_APPID: '' })).toMatchObject({ port: 3000 })
})

test('a new secret encrypts, the previous one may still read', () => {
  expect(readConfig(demo).secrets).toEqual([secret])
  const replaced = { ...demo, SAOMA_SECRET: 'n'.repeat(32), SAOMA_PREVIOUS_SECRET: secret }
  expect(readConfig(replaced).secrets).toEqual(['n'.repeat(32), secret])
  expect(problemsOf({ ...demo, SAOMA_SECRET: 'short' })).toEqual(['SAOMA_SECRET must have at least 32 characters'])
})
