import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onCleanup } from '@saoma/testing'
import { ConfigError, readConfig } from '../src/config/config.ts'
import { messageData } from '../src/config/login-template.ts'
import { misspelled } from '../src/config/misspelled.ts'

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

test('all problems are reported at once, each with the name of its setting', () => {
  expect(
    problemsOf({
      SAOMA_ORIGIN: 'login.example.com/',
      PORT: '80a',
      SAOMA_TRUSTED_PROXIES: '10.0.0.0/99',
      SAOMA_WEB_NETWORKS: 'office',
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
    'SAOMA_WEB_NETWORKS must list addresses or networks such as 10.0.0.0/8',
  ])
})

test('private networks of applications are named, and none is wider than the private ones', () => {
  expect(readConfig(demo).applicationNetworks).toEqual([])
  const SAOMA_APPLICATION_NETWORKS = '10.20.0.0/16, fd12::/16,192.168.1.7'
  expect(readConfig({ ...demo, SAOMA_APPLICATION_NETWORKS }).applicationNetworks).toHaveLength(3)
  for (const wrong of ['0.0.0.0/0', '10.0.0.0/33', 'app.internal', '10.0.0.0/8 10.1.0.0/16'])
    expect([wrong, problemsOf({ ...demo, SAOMA_APPLICATION_NETWORKS: wrong })]).toEqual([
      wrong,
      [expect.stringContaining('SAOMA_APPLICATION_NETWORKS must list networks such as 10.0.0.0/8')],
    ])
})

test('the audit is on, and its bounds and the place of the administrators’ routes are checked', () => {
  expect(readConfig(demo).audit).toEqual({ isOn: true, entries: 100_000, keepMs: 90 * 86_400_000 })
  const given = { SAOMA_AUDIT: 'off', SAOMA_AUDIT_ENTRIES: '5000', SAOMA_AUDIT_DAYS: '1' }
  expect(readConfig({ ...demo, ...given }).audit).toEqual({ isOn: false, entries: 5_000, keepMs: 86_400_000 })
  expect(problemsOf({ ...demo, SAOMA_AUDIT: 'yes', SAOMA_AUDIT_ENTRIES: '10', SAOMA_AUDIT_DAYS: '0' })).toEqual([
    'SAOMA_AUDIT must be on or off',
    expect.stringContaining('SAOMA_AUDIT_ENTRIES'),
    expect.stringContaining('SAOMA_AUDIT_DAYS'),
  ])
  expect(problemsOf({ ...demo, SAOMA_ADMIN_API: 'open' })).toEqual(['SAOMA_ADMIN_API must be internal or public'])
  expect(readConfig(demo).adminApi).toBe('internal')
  expect(readConfig({ ...demo, SAOMA_ADMIN_API: 'public' }).adminApi).toBe('public')
})

test('the origins of pages in applications may be allowed, but null may not', () => {
  const origins = [
    'https://www.example.com',
    'http://localhost:5173',
    'capacitor://localhost',
    'ionic://localhost',
    'tauri://localhost',
    'app://.',
    'chrome-extension://aapbdbdomjkkjkaonfhkkikfgjllcleb',
    'safari-web-extension://0A1B2C3D-0000-4000-8000-ABCDEF012345',
  ]
  expect(readConfig({ ...demo, SAOMA_ALLOWED_ORIGINS: origins.join(', ') }).allowedOrigins).toEqual(origins)
  for (const wrong of [
    'null',
    '*',
    'file://',
    'https://a.example/',
    'capacitor://localhost/',
    'capacitor:',
    'https:a',
    'data://x',
  ])
    expect([wrong, problemsOf({ ...demo, SAOMA_ALLOWED_ORIGINS: wrong })]).toEqual([
      wrong,
      [expect.stringContaining('SAOMA_ALLOWED_ORIGINS must hold origins')],
    ])
})

test('a misspelled name is reported with the setting that was meant', () => {
  expect(
    misspelled({
      ...demo,
      SAOMA_LIMT_REQUESTS: '1',
      SAOMA_ALLOWED_ORIGIN: 'https://a.example',
      SAOMA_SOMETHING_ELSE_ALTOGETHER: '1',
      // Of others beside a node, and of Kubernetes.
      SAOMA_NODES: 'a=b:1',
      SAOMA_GATEWAY_SERVICE_HOST: '10.0.0.1',
      SAOMA_GATEWAY_PORT_3000_TCP_ADDR: '10.0.0.1',
      SAOMAX: '1',
    }),
  ).toEqual([
    { name: 'SAOMA_LIMT_REQUESTS', nearest: 'SAOMA_LIMIT_REQUESTS' },
    { name: 'SAOMA_ALLOWED_ORIGIN', nearest: 'SAOMA_ALLOWED_ORIGINS' },
    { name: 'SAOMA_SOMETHING_ELSE_ALTOGETHER' },
  ])
})

test('a setting may be in a file, like secrets in a container', () => {
  const folder = mkdtempSync(join(tmpdir(), 'saoma-settings-'))
  onCleanup(() => rmSync(folder, { recursive: true }))
  const put = (name: string, text: string) => {
    writeFileSync(join(folder, name), text)
    return join(folder, name)
  }
  const { SAOMA_SECRET, ...rest } = real
  const secretFile = put('secret', `${SAOMA_SECRET}\n`)
  const wechatFile = put('wechat', 'its-secret')
  const config = readConfig({
    ...rest,
    SAOMA_SECRET_FILE: secretFile,
    REDIS_URL_FILE: put('redis', 'redis://:a%20word@redis.internal:6380\r\n'),
    WECHAT_SECRET: '',
    WECHAT_SECRET_FILE: wechatFile,
  })
  expect(config).toMatchObject({
    secrets: [SAOMA_SECRET],
    redisUrl: 'redis://:a%20word@redis.internal:6380',
    wechat: { secret: 'its-secret' },
  })
  expect(misspelled({ SAOMA_SECRET_FILE: secretFile, REDIS_URL_FILE: 'x' })).toEqual([])

  expect(problemsOf({ ...real, SAOMA_SECRET_FILE: secretFile })).toEqual([
    'SAOMA_SECRET and SAOMA_SECRET_FILE exclude each other: set one of them',
  ])
  const absent = join(folder, 'absent')
  const empty = put('empty', '\n')
  const short = put('short', 'too short')
  expect(
    problemsOf({ ...rest, SAOMA_SECRET_FILE: absent, REDIS_URL_FILE: empty, SAOMA_PREVIOUS_SECRET_FILE: short }),
  ).toEqual([
    `REDIS_URL_FILE names a file that is empty: ${empty}`,
    `SAOMA_SECRET_FILE names a file that cannot be read (ENOENT): ${absent}`,
    'SAOMA_PREVIOUS_SECRET must have at least 32 characters',
  ])
})

test('an unknown log level is reported with the levels that exist', () => {
  expect(problemsOf({ ...demo, LOG_LEVEL: 'verbose' })).toEqual([
    'LOG_LEVEL must be one of trace, debug, info, warn, error, fatal, silent',
  ])
})

test('demo mode refuses production and real WeChat credentials, but not the simulator', () => {
  expect(problemsOf({ ...demo, NODE_ENV: 'production' })).toEqual([expect.stringContaining('NODE_ENV=production')])
  expect(problemsOf({ ...real, SAOMA_DEMO: 'true' })).toEqual([expect.stringContaining('WeChat credentials')])
  expect(problemsOf({ ...real, SAOMA_DEMO: 'true', WECHAT_API: 'http://127.0.0.1:9000' })).toEqual([])
})

test('a mini-program is required without demo mode', () => {
  expect(problemsOf({ SAOMA_ORIGIN: 'https://a.example', SAOMA_SECRET: secret })).toEqual([
    expect.stringContaining('WECHAT_APPID'),
  ])
  expect(problemsOf({ ...real, WECHAT_SECRET: '' })).toEqual([
    expect.stringContaining('go together'),
    expect.stringContaining('are needed'),
  ])
})

test.each([
  ['SAOMA_SECRET', {}, 'openssl rand -base64 32'],
  ['SAOMA_API_KEYS', {}, 'saoma key create; in a clone npm run saoma -- key create'],
  ['SAOMA_HOOK_SECRET', { SAOMA_HOOK_URL: 'http://shop:4200/shop/hook' }, 'openssl rand -base64 32'],
])('the %s of docker-compose.yml is for the demo only', (name, others, how) => {
  const compose = readFileSync(new URL('../../../docker-compose.yml', import.meta.url), 'utf8')
  const published = new RegExp(`${name}:?-([^}]+)}`).exec(compose)?.[1] ?? ''
  expect(problemsOf({ ...demo, ...others, [name]: published })).toEqual([])
  expect(problemsOf({ ...real, ...others, [name]: published })).toEqual([
    expect.stringContaining(`make your own (${how})`),
  ])
})

test('the sessions of a person are limited in all and by kind', () => {
  expect(readConfig(demo).sessionLimits).toEqual({ most: 100, ofKind: {} })
  const given = { SAOMA_SESSIONS_PER_PERSON: '3', SAOMA_SESSIONS_PER_KIND: ' web=1, phone=5 ' }
  expect(readConfig({ ...demo, ...given }).sessionLimits).toEqual({ most: 3, ofKind: { web: 1, phone: 5 } })
  for (const wrong of ['web', 'web=0', 'web=101', 'tablet=1', 'web=1 web=2', 'phone:1', 'toString=1'])
    expect(problemsOf({ ...demo, SAOMA_SESSIONS_PER_KIND: wrong })).toEqual([
      expect.stringMatching(/^SAOMA_SESSIONS_PER_KIND must be such as "web=1 computer=1 phone=1"/),
    ])
  for (const wrong of ['0', '101', 'many'])
    expect(problemsOf({ ...demo, SAOMA_SESSIONS_PER_PERSON: wrong })).toHaveLength(1)
})

test('what a login needs is a tap, or one of three others', () => {
  expect(readConfig(demo).verify).toBe('tap')
  for (const verify of ['tap', 'number', 'network', 'network-or-number'])
    expect(readConfig({ ...demo, SAOMA_VERIFY: verify }).verify).toBe(verify)
  for (const later of ['passkey', 'origin'])
    expect(problemsOf({ ...demo, SAOMA_VERIFY: later })).toEqual([
      expect.stringContaining(`SAOMA_VERIFY cannot be ${later} yet, which comes in a later version`),
    ])
  expect(problemsOf({ ...demo, SAOMA_VERIFY: 'vault' })).toEqual([
    expect.stringMatching(/^SAOMA_VERIFY must be one of tap, number/),
  ])
})

test('an empty setting means its default', () => {
  expect(readConfig({ ...demo, PORT: '', WECHAT_APPID: '' })).toMatchObject({ port: 3000 })
})

test('a new secret encrypts, and the previous one can still read', () => {
  expect(readConfig(demo).secrets).toEqual([secret])
  const replaced = { ...demo, SAOMA_SECRET: 'n'.repeat(32), SAOMA_PREVIOUS_SECRET: secret }
  expect(readConfig(replaced).secrets).toEqual(['n'.repeat(32), secret])
  expect(problemsOf({ ...demo, SAOMA_SECRET: 'short' })).toEqual(['SAOMA_SECRET must have at least 32 characters'])
})

const rules = '[{"match":"room:*","follow":"public"}]'
const hash = 'ab'.repeat(32)

test('keys and rules may be inline or in files, and an unreadable file is named', () => {
  const folder = mkdtempSync(join(tmpdir(), 'saoma-config-'))
  onCleanup(() => rmSync(folder, { recursive: true }))
  const [keyFile, ruleFile] = [join(folder, 'keys'), join(folder, 'rules.json')]
  writeFileSync(keyFile, `shop ${hash} room:*\n`)
  writeFileSync(ruleFile, rules)
  const written = readConfig({ ...demo, SAOMA_API_KEYS: `shop ${hash} room:*`, SAOMA_CHANNELS: rules })
  const inFiles = readConfig({ ...demo, SAOMA_API_KEYS: keyFile, SAOMA_CHANNELS: ruleFile })
  expect(written.live).toMatchObject({ apiKeys: { text: `shop ${hash} room:*` }, rules: [{ match: 'room:*' }] })
  expect(inFiles.live).toMatchObject({ apiKeys: { file: keyFile }, rules: written.live.rules })
  expect(readConfig(demo).live).toEqual({ apiKeys: { text: '' }, rules: [] })

  expect(problemsOf({ ...demo, SAOMA_API_KEYS: `${keyFile}x`, SAOMA_CHANNELS: './nowhere.json' })).toEqual([
    `SAOMA_API_KEYS names a file that cannot be read (ENOENT): ${keyFile}x`,
    'SAOMA_CHANNELS names a file that cannot be read (ENOENT): ./nowhere.json',
  ])
})

test('every wrong line of the keys and every wrong rule is a separate problem', () => {
  expect(
    problemsOf({
      ...demo,
      SAOMA_API_KEYS: `shop ${hash} room:*;bad;worse ${hash} lobby`,
      SAOMA_CHANNELS: '[{"match":"room:a*b","follow":"all"},{"match":"user:*","publish":"followers"}]',
      SAOMA_AUTH_URL: 'ftp://shop.example.com',
    }),
  ).toEqual([
    'SAOMA_API_KEYS line 2: the second word must be the SHA-256 of the key in hex',
    expect.stringMatching(/^SAOMA_API_KEYS line 3: the third word/),
    expect.stringMatching(/^SAOMA_AUTH_URL must be a URL/),
    expect.stringMatching(/^SAOMA_CHANNELS rule 1: match/),
    expect.stringMatching(/^SAOMA_CHANNELS rule 1: follow/),
    expect.stringMatching(/^SAOMA_CHANNELS rule 2: a rule for user:/),
  ])
})

test('a rule that asks the hook needs a hook, and a hook needs a secret', () => {
  const asking = { ...demo, SAOMA_CHANNELS: '[{"match":"room:*","publish":"hook"}]' }
  const hook = { SAOMA_HOOK_URL: 'http://shop.internal/hook', SAOMA_HOOK_SECRET: 'a secret of 16 letters or more' }
  expect(problemsOf(asking)).toEqual([expect.stringContaining('set SAOMA_HOOK_URL')])
  expect(problemsOf({ ...asking, SAOMA_HOOK_URL: hook.SAOMA_HOOK_URL })).toEqual([
    expect.stringContaining('go together'),
  ])
  expect(problemsOf({ ...asking, ...hook, SAOMA_HOOK_SECRET: 'short' })).toHaveLength(1)
  expect(problemsOf({ ...asking, ...hook, SAOMA_HOOK_URL: 'http://a:b@shop.internal/' })).toHaveLength(1)
  expect(readConfig({ ...asking, ...hook }).live.hook).toEqual({
    url: hook.SAOMA_HOOK_URL,
    secret: hook.SAOMA_HOOK_SECRET,
  })
})

test('a business with its own accounts needs no mini-program', () => {
  const alone = { SAOMA_ORIGIN: 'https://a.example', SAOMA_SECRET: secret, SAOMA_AUTH_URL: 'https://shop.example/auth' }
  expect(readConfig(alone)).toMatchObject({ live: { authUrl: alone.SAOMA_AUTH_URL }, demo: false })
  expect(problemsOf({ ...alone, WECHAT_APPID: 'wx1' })).toEqual([expect.stringContaining('go together')])
})

test('a business that signs its tokens needs no mini-program either', () => {
  const signed = {
    SAOMA_ORIGIN: 'https://a.example',
    SAOMA_SECRET: secret,
    SAOMA_AUTH_JWKS: 'https://login.shop.example/jwks.json',
    SAOMA_AUTH_ISSUER: 'https://login.shop.example/',
    SAOMA_AUTH_AUDIENCE: 'live, shop',
  }
  const { live, demo: isDemo } = readConfig(signed)
  expect(isDemo).toBe(false)
  expect(live.signed).toEqual({
    source: { url: signed.SAOMA_AUTH_JWKS },
    issuer: 'https://login.shop.example/',
    audiences: ['live', 'shop'],
    claims: { uid: 'sub', rooms: 'rooms', sid: 'sid' },
    algorithms: expect.arrayContaining(['ES256', 'RS256', 'EdDSA']),
  })
  expect(live.signed?.algorithms.filter((name) => /^(none|HS)/.test(name))).toEqual([])
  const named = {
    ...signed,
    SAOMA_AUTH_CLAIMS: ' uid=user_id  rooms=https://shop.example/rooms?a=b ',
    SAOMA_AUTH_ALGORITHMS: 'RS256, ES256',
  }
  expect(readConfig(named).live.signed).toMatchObject({
    claims: { uid: 'user_id', rooms: 'https://shop.example/rooms?a=b', sid: 'sid' },
    algorithms: ['RS256', 'ES256'],
  })
})

test.each<[what: string, change: Record<string, string>, problem: RegExp]>([
  ['an address of another kind', { SAOMA_AUTH_JWKS: 'ftp://a.example' }, /^SAOMA_AUTH_JWKS must be a URL such as /],
  ['an address with a user', { SAOMA_AUTH_JWKS: 'https://a:b@a.example' }, /^SAOMA_AUTH_JWKS must be a URL such as /],
  ['no such file', { SAOMA_AUTH_JWKS: './none.json' }, /^SAOMA_AUTH_JWKS names a file that cannot be read \(ENOENT\)/],
  ['a file without keys', { SAOMA_AUTH_JWKS: './package.json' }, /^SAOMA_AUTH_JWKS names a file that is no JWKS: /],
  ['no issuer', { SAOMA_AUTH_ISSUER: '' }, /^SAOMA_AUTH_JWKS needs SAOMA_AUTH_ISSUER and SAOMA_AUTH_AUDIENCE/],
  ['no audience', { SAOMA_AUTH_AUDIENCE: ' ,' }, /^SAOMA_AUTH_JWKS needs SAOMA_AUTH_ISSUER and SAOMA_AUTH_AUDIENCE/],
  ['the issuer of the cluster', { SAOMA_AUTH_ISSUER: 'http://a.example/oidc' }, /^SAOMA_AUTH_ISSUER is the issuer of/],
  ['no keys', { SAOMA_AUTH_JWKS: '' }, /^SAOMA_AUTH_(ISSUER|AUDIENCE) is about the tokens of SAOMA_AUTH_JWKS/],
  ['a claim of another name', { SAOMA_AUTH_CLAIMS: 'user=sub' }, /^SAOMA_AUTH_CLAIMS must be pairs such as uid=sub/],
  ['a claim named twice', { SAOMA_AUTH_CLAIMS: 'uid=sub uid=id' }, /^SAOMA_AUTH_CLAIMS must be pairs/],
  ['a claim without a name', { SAOMA_AUTH_CLAIMS: 'uid= rooms' }, /^SAOMA_AUTH_CLAIMS must be pairs/],
  ['a shared secret', { SAOMA_AUTH_ALGORITHMS: 'ES256,HS256' }, /^SAOMA_AUTH_ALGORITHMS must list some of ES256, /],
  ['no signature', { SAOMA_AUTH_ALGORITHMS: 'none' }, /^SAOMA_AUTH_ALGORITHMS must list some of ES256, /],
  ['no algorithm', { SAOMA_AUTH_ALGORITHMS: ',' }, /^SAOMA_AUTH_ALGORITHMS must name an algorithm/],
])('signed tokens of a business are refused with %s', (_, change, problem) => {
  const signed = {
    ...demo,
    SAOMA_ORIGIN: 'http://a.example',
    SAOMA_AUTH_JWKS: 'https://login.shop.example/jwks.json',
    SAOMA_AUTH_ISSUER: 'shop',
    SAOMA_AUTH_AUDIENCE: 'live',
  }
  const problems = problemsOf({ ...signed, ...change })
  expect(problems.length).toBeGreaterThan(0)
  for (const one of problems) expect(one).toMatch(problem)
})

test('the buffer of a reader must hold one message of the largest size', () => {
  expect(problemsOf({ ...demo, SAOMA_LIMIT_BUFFER_BYTES: '65536', SAOMA_LIMIT_MESSAGE_BYTES: '65537' })).toEqual([
    expect.stringContaining('must not be less'),
  ])
})

test('traces go where the OpenTelemetry variables say, and nowhere without them', () => {
  const endpoint = { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://collector:4318/' }
  expect(readConfig(demo).traces).toBeUndefined()
  expect(readConfig({ ...demo, OTEL_EXPORTER_OTLP_ENDPOINT: '', OTEL_SERVICE_NAME: 'x' }).traces).toBeUndefined()
  expect(readConfig({ ...demo, ...endpoint }).traces).toEqual({
    url: 'http://collector:4318/v1/traces',
    service: 'saoma',
    sampler: 'parentbased_always_on',
    ratio: 1,
  })
  expect(
    readConfig({ ...demo, ...endpoint, OTEL_TRACES_SAMPLER: 'traceidratio', OTEL_TRACES_SAMPLER_ARG: '0.05' }).traces,
  ).toMatchObject({ sampler: 'traceidratio', ratio: 0.05 })
  const wrong = { OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc', OTEL_TRACES_SAMPLER: 'some', OTEL_TRACES_SAMPLER_ARG: '5' }
  expect(problemsOf({ ...demo, ...endpoint, ...wrong })).toEqual([
    expect.stringContaining('http/json'),
    expect.stringContaining('traceidratio'),
    expect.stringContaining('0 to 1'),
  ])
})

test('the files for TLS may be set for either Redis', () => {
  const folder = mkdtempSync(join(tmpdir(), 'saoma-config-'))
  onCleanup(() => rmSync(folder, { recursive: true }))
  const file = join(folder, 'ca.pem')
  writeFileSync(file, '-----BEGIN CERTIFICATE-----')
  const urls = (logins: string, channels: string) =>
    problemsOf({ ...demo, REDIS_CA_FILE: file, REDIS_URL: `${logins}://a`, REDIS_CHANNELS_URL: `${channels}://b` })
  expect(urls('rediss', 'redis')).toEqual([])
  expect(urls('redis', 'rediss')).toEqual([])
  expect(urls('redis', 'redis')).toEqual([expect.stringContaining('are for TLS')])
})

test('the account hook has an address, a secret, and names of claims that are URIs', () => {
  const url = 'https://shop.example.com/account'
  const hook = { SAOMA_ACCOUNT_URL: url, SAOMA_ACCOUNT_SECRET: 'y'.repeat(16) }
  const level = 'https://shop.example.com/level'
  expect(readConfig(real).accounts).toEqual({ ownClaims: [] })
  expect(readConfig({ ...real, ...hook, SAOMA_ACCOUNT_CLAIMS: `${level}, urn:shop:branch` }).accounts).toEqual({
    hook: { url, secret: 'y'.repeat(16), when: 'birth' },
    ownClaims: [level, 'urn:shop:branch'],
  })
  expect(readConfig({ ...real, ...hook, SAOMA_ACCOUNT_WHEN: 'login' }).accounts.hook?.when).toBe('login')
  expect(problemsOf({ ...real, SAOMA_ACCOUNT_URL: url })).toEqual([expect.stringContaining('go together')])
  expect(problemsOf({ ...real, SAOMA_ACCOUNT_WHEN: 'login' })).toEqual([
    expect.stringContaining('set SAOMA_ACCOUNT_URL'),
  ])
  expect(problemsOf({ ...real, ...hook, SAOMA_ACCOUNT_WHEN: 'always' })).toEqual([
    'SAOMA_ACCOUNT_WHEN must be birth or login',
  ])
  for (const claim of ['level', 'name', 'sub', 'a b:c'])
    expect([claim, problemsOf({ ...real, ...hook, SAOMA_ACCOUNT_CLAIMS: claim })]).toEqual([
      claim,
      [expect.stringContaining('names that are URIs')],
    ])
})

test('further mini-programs are a JSON list, whose secrets no message quotes', () => {
  const apps = (list: unknown) => ({ ...real, WECHAT_APPS: typeof list === 'string' ? list : JSON.stringify(list) })
  const second = { appid: 'wx2', secret: 'do-not-quote' }
  expect(readConfig(apps([second])).wechat?.others).toEqual([second])
  expect(readConfig(real).wechat?.others).toEqual([])
  for (const [wrong, says] of [
    ['{"appid"', 'is no JSON'],
    [`[\n{ "appid": "wx2",\n"secret": "do-not-quote" "do-not-quote" }]`, 'is no JSON: look at line 3'],
    ['[{ "appid": "wx2", "secret": "do-not-quote', 'is no JSON'],
    [{ appid: 'wx2' }, 'must be a JSON array'],
    [null, 'must be a JSON array'],
    [[second, { appid: 'wx3' }], 'has a wrong entry 2: it must be { "appid"'],
    [[{ ...second, name: 'x' }], 'has a wrong entry 1: it must be { "appid"'],
    [[{ ...second, appid: 'do-not-quote ' }], 'has a wrong entry 1: appid must be 1 to 64 of'],
    [[{ ...second, secret: 'do-not-quote ' }], 'has a wrong entry 1: secret must be a text without spaces around it'],
    [[{ ...second, secret: '' }], 'has a wrong entry 1: secret must be a text without spaces around it'],
    [[second, second], 'names wx2 twice'],
    [Array.from({ length: 51 }, (_, i) => ({ ...second, appid: `wx${i + 10}` })), 'must have at most 50 apps'],
    [[{ ...second, appid: real.WECHAT_APPID }], 'has the appid of WECHAT_APPID'],
  ] as const) {
    const problems = problemsOf(apps(wrong))
    expect(problems).toEqual([expect.stringContaining(says)])
    expect(problems[0]).toContain('WECHAT_APPS')
    expect(problems.join()).not.toContain('do-not-quote')
  }
  expect(problemsOf({ ...demo, WECHAT_APPS: JSON.stringify([second]) })).toEqual([
    expect.stringContaining('WECHAT_APPS has further mini-programs'),
  ])
})

describe('the message of WeChat about a request to log in', () => {
  const id = 'AbCdEfGhIjKlMnOpQrStUvWxYz0123456789-_abcde'
  const template = (text: string) => ({ ...real, WECHAT_LOGIN_TEMPLATE: text })

  test('is a template and what its fields say', () => {
    expect(readConfig(real).wechat).not.toHaveProperty('loginTemplate')
    expect(readConfig(template(` ${id}  thing1=app time2=time `)).wechat?.loginTemplate).toEqual({
      id,
      fields: [
        { name: 'thing1', says: 'app' },
        { name: 'time2', says: 'time' },
      ],
    })
    expect(readConfig(template(`${id} character_string3=app`)).wechat?.loginTemplate?.fields).toHaveLength(1)
  })

  test.each([
    ['only an id', id, 'must be the id of a template and what its fields say'],
    ['only fields', 'thing1=app', 'must be the id of a template and what its fields say'],
    ['an id with a space', `${id.slice(0, 20)}! thing1=app`, 'must be the id of a template'],
    ['a field without a number', `${id} thing=app`, 'must be the id of a template'],
    ['a field that says something else', `${id} thing1=person`, 'must be the id of a template'],
    ['commas', `${id} thing1=app,time2=time`, 'must be the id of a template'],
    ['a field twice', `${id} thing1=app thing1=time`, 'names a field twice'],
  ])('is refused with %s', (_, text, says) => {
    expect(problemsOf(template(text))).toEqual([expect.stringMatching(new RegExp(`^WECHAT_LOGIN_TEMPLATE ${says}`))])
  })

  test('is of no use without WeChat', () => {
    expect(problemsOf({ ...demo, WECHAT_LOGIN_TEMPLATE: `${id} thing1=app` })).toEqual([
      'WECHAT_LOGIN_TEMPLATE is of no use without WECHAT_APPID and WECHAT_SECRET',
    ])
  })

  test('has a name of twenty characters at most, and the time of China', () => {
    const fields = [
      { name: 'thing1', says: 'app' },
      { name: 'time2', says: 'time' },
    ] as const
    expect(messageData(fields, { app: '𠮷'.repeat(30), now: new Date('2026-11-30T16:05:00Z') })).toEqual({
      thing1: { value: '𠮷'.repeat(20) },
      time2: { value: '2026-12-01 00:05' },
    })
  })
})

describe('the settings of the company’s own app', () => {
  const issuer = { name: 'acme', issuer: 'https://login.acme.example', jwks_uri: 'https://x.example/', audience: 'a' }
  const own = { ...real, WECHAT_APPID: '', WECHAT_SECRET: '', SAOMA_PHONE_ISSUERS: JSON.stringify([issuer]) }

  test('an app is enough to log people in, and then pictures open it', () => {
    expect(problemsOf(own)).toEqual([])
    expect(readConfig(own)).toMatchObject({ codeOpens: 'app', ownApp: { android: [], ios: [], install: [] } })
    expect(readConfig({ ...own, SAOMA_CODE_OPENS: 'phone' }).codeOpens).toBe('phone')
    expect(readConfig({ ...real, SAOMA_PHONE_ISSUERS: own.SAOMA_PHONE_ISSUERS }).codeOpens).toBe('phone')
    expect(readConfig(real)).not.toHaveProperty('ownApp')
    expect(problemsOf({ ...real, SAOMA_CODE_OPENS: 'app' })).toEqual([
      'SAOMA_CODE_OPENS=app needs SAOMA_PHONE_ISSUERS: otherwise no app could confirm a login',
    ])
    expect(problemsOf({ ...real, SAOMA_CODE_OPENS: 'door' })).toEqual(['SAOMA_CODE_OPENS must be phone or app'])
    const itself = JSON.stringify([{ ...issuer, issuer: 'https://login.example.com/oidc' }])
    expect(problemsOf({ ...own, SAOMA_PHONE_ISSUERS: itself })).toEqual([
      'SAOMA_PHONE_ISSUERS has the issuer of this cluster, whose tokens are no tokens of an app',
    ])
  })

  test('apps are read, and a mistake in them is told', () => {
    const print = `${'ab:'.repeat(31)}cd`
    const given = {
      SAOMA_ANDROID_APPS: `com.acme.app ${print}; com.acme.beta ${print},${print};`,
      SAOMA_IOS_APPS: 'A1B2C3D4E5.com.acme.app,A1B2C3D4E5.com.acme.beta',
      SAOMA_APP_INSTALL: 'https://a.example/ https://b.example/',
    }
    expect(readConfig({ ...own, ...given }).ownApp).toEqual({
      android: [
        { package: 'com.acme.app', fingerprints: [print.toUpperCase()] },
        { package: 'com.acme.beta', fingerprints: [print.toUpperCase(), print.toUpperCase()] },
      ],
      ios: ['A1B2C3D4E5.com.acme.app', 'A1B2C3D4E5.com.acme.beta'],
      install: ['https://a.example/', 'https://b.example/'],
    })
    for (const wrong of ['com.acme.app', `acme ${print}`, `com.acme.app ${print}:00`, `com.acme.app ${print.slice(3)}`])
      expect(problemsOf({ ...own, SAOMA_ANDROID_APPS: wrong })).toEqual([
        expect.stringMatching(/^SAOMA_ANDROID_APPS must be a package and the SHA-256 fingerprints/),
      ])
    for (const wrong of ['com.acme.app', 'a1b2c3d4e5.com.acme.app', 'A1B2C3D4E5', 'A1B2C3D4E5.*'])
      expect(problemsOf({ ...own, SAOMA_IOS_APPS: wrong })).toEqual([
        expect.stringMatching(/^SAOMA_IOS_APPS must list team ids and bundle ids/),
      ])
    for (const wrong of ['http://a.example', 'javascript:alert(1)', 'market://details?id=x'])
      expect(problemsOf({ ...own, SAOMA_APP_INSTALL: wrong })).toEqual([
        'SAOMA_APP_INSTALL must list addresses with https',
      ])
  })

  test.each<[what: string, change: Record<string, unknown>, problem: string]>([
    ['no name', { name: undefined }, 'line 2: name is needed'],
    ['a name with spaces', { name: 'a b' }, 'line 3: name must be 1 to 64 of A-Z, a-z, 0-9, . _ and -'],
    ['no audience', { audience: undefined }, 'line 2: audience is needed'],
    ['an empty audience', { audience: [] }, 'line 6: audience must be a text, or a list of texts'],
    ['no keys', { jwks_uri: undefined }, 'line 2: jwks_uri or jwks_file is needed, and not both'],
    ['keys at two places', { jwks_file: './x' }, 'line 5: jwks_uri or jwks_file is needed, and not both'],
    ['keys at an address that is none', { jwks_uri: 'ftp://x' }, 'line 5: jwks_uri must be a URL such as'],
    ['keys in a file that is none', { jwks_uri: undefined, jwks_file: 'x' }, 'line 6: jwks_file must be a path'],
    ['no signature', { algorithms: ['none'] }, 'line 7: algorithms must list some of ES256'],
    ['a shared secret', { algorithms: ['HS256'] }, 'line 7: algorithms must list some of ES256'],
    ['no algorithm', { algorithms: [] }, 'line 7: algorithms must list some of ES256'],
    ['a claim of the cluster', { profile_claims: { sub: 'x' } }, 'line 7: profile_claims can have name, picture,'],
    ['a claim that is none', { profile_claims: { name: 1 } }, 'line 7: profile_claims must be the name of a claim'],
    ['an unknown member', { audiences: ['a'] }, 'line 7: audiences is no member of an issuer'],
    ['a word for yes', { dpop_bound_access_tokens: 'yes' }, 'line 7: dpop_bound_access_tokens must be true or false'],
  ])('an issuer with %s is told with its line', (_what, change, problem) => {
    const SAOMA_PHONE_ISSUERS = JSON.stringify([{ ...issuer, ...change }], undefined, 1)
    expect(problemsOf({ ...own, SAOMA_PHONE_ISSUERS })).toEqual([
      expect.stringContaining(`SAOMA_PHONE_ISSUERS ${problem}`),
    ])
  })

  test('the list has no issuer twice, and is a list', () => {
    const twice = JSON.stringify([issuer, { ...issuer, name: 'other' }], undefined, 1)
    expect(problemsOf({ ...own, SAOMA_PHONE_ISSUERS: twice })).toEqual([
      'SAOMA_PHONE_ISSUERS line 10: issuer stands there twice',
    ])
    expect(problemsOf({ ...own, SAOMA_PHONE_ISSUERS: '{}' })).toEqual([
      'SAOMA_PHONE_ISSUERS line 1: it must be a JSON list of issuers',
    ])
    expect(problemsOf({ ...own, SAOMA_PHONE_ISSUERS: '[\n1]' })).toEqual([
      'SAOMA_PHONE_ISSUERS line 1: an issuer must be an object',
    ])
  })
})
