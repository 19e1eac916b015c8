import { startSimulator } from '@saoma/testing'
import { errors } from '../src/errors.ts'
import { appid, type Started, secret, start } from './start.ts'

const path = '/cgi-bin/stable_token'
const body = { grant_type: 'client_credential', appid, secret }

let simulator: Started

beforeAll(async () => {
  simulator = await start()
})
beforeEach(() => simulator.call('/simulator/faults', { method: 'DELETE' }))

const order = (fault: object) => simulator.call('/simulator/faults', { body: fault })

test('a login mints a code for a person', async () => {
  const { js_code } = await simulator.json('/simulator/login', { body: { person: 'alice' } })
  const query = { appid, secret, js_code: String(js_code), grant_type: 'authorization_code' }
  expect(await simulator.json('/sns/jscode2session', { query })).toHaveProperty('openid')
})

test('"errcode" refuses the ordered number of times with the text of that errcode', async () => {
  for (const errcode of [-1, 40164, 45009]) {
    await order({ path, kind: 'errcode', errcode, times: 1 })
    const answer = await simulator.call(path, { body })
    expect(answer.headers.get('content-type')).toBe('application/json; encoding=utf-8')
    expect(JSON.parse(await answer.text())).toEqual({
      errcode,
      errmsg: expect.stringMatching(`^${errors[errcode]} rid: `),
    })
    expect(await simulator.json(path, { body })).toHaveProperty('access_token')
  }
})

test('"down" cuts the connections of that path until it is withdrawn', async () => {
  await order({ path, kind: 'down' })
  await expect(simulator.call(path, { body })).rejects.toThrow()
  await expect(simulator.call(path, { body })).rejects.toThrow()
  expect(await simulator.json('/sns/jscode2session')).toHaveProperty('errcode', 41002)
  await simulator.call('/simulator/faults', { method: 'DELETE' })
  expect(await simulator.json(path, { body })).toHaveProperty('access_token')
})

test('"cut" does the work and then cuts the connection', async () => {
  const { js_code } = await simulator.json('/simulator/login', { body: { person: 'alice' } })
  const query = { appid, secret, js_code: String(js_code), grant_type: 'authorization_code' }
  await order({ kind: 'cut', times: 1 })
  await expect(simulator.call('/sns/jscode2session', { query })).rejects.toThrow()
  expect(await simulator.json('/sns/jscode2session', { query })).toHaveProperty('errcode', 40163)
})

test('"slow" answers late and correctly', async () => {
  await order({ kind: 'slow', ms: 100, times: 1 })
  const started = performance.now()
  expect(await simulator.json(path, { body })).toHaveProperty('access_token')
  expect(performance.now() - started).toBeGreaterThanOrEqual(99)
})

test('"garbage" answers with HTML under any status', async () => {
  await order({ kind: 'garbage', status: 502, times: 1 })
  const answer = await simulator.call(path, { body })
  expect(answer.status).toBe(502)
  expect(await answer.text()).toContain('<html>')
})

test('an order that is not understood is refused', async () => {
  for (const fault of [{ kind: 'slow' }, { kind: 'errcode' }, { kind: 'evil' }, { kind: 'down', times: 0 }, {}])
    expect((await order(fault)).status).toBe(400)
})

test('calls and tokens are counted, including spoilt calls', async () => {
  const own = await start()
  await own.stableToken()
  await own.stableToken(true)
  await own.call('/simulator/faults', { body: { kind: 'errcode', errcode: -1, times: 1 } })
  await own.stableToken()
  await own.json('/cgi-bin/token', { query: body })
  expect(await own.json('/simulator/counters')).toEqual({
    calls: { [path]: 3, '/cgi-bin/token': 1 },
    tokens: { stable: 2, normal: 1, forced: 1 },
    codes: 0,
    links: 0,
  })
})

test('the clock can be advanced and tokens expired from outside', async () => {
  const { access_token } = await simulator.stableToken()
  await simulator.call('/simulator/tokens/expire', { method: 'POST' })
  expect(await simulator.refusalOf(access_token)).toBe(42001)
  const next = await simulator.stableToken()
  await simulator.call('/simulator/clock/advance', { body: { ms: 6_000_000 } })
  expect((await simulator.stableToken()).expires_in).toBe(next.expires_in - 6000)
  await simulator.call('/simulator/tokens/refuse', { method: 'POST' })
  expect(await simulator.refusalOf(next.access_token)).toBe(40001)
})

test('the process says where it listens and ends cleanly on SIGTERM, even with held answers', async () => {
  const program = await startSimulator({ appid, secret })
  const ordered = await fetch(`${program.origin}/simulator/faults`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ kind: 'slow', ms: 600_000 }),
  })
  expect(ordered.status).toBe(200)
  const held = fetch(`${program.origin}/cgi-bin/token`).catch(() => 'cut')
  const calls = async () => (await (await fetch(`${program.origin}/simulator/counters`)).json()).calls
  while (!(await calls())['/cgi-bin/token']) {
    // The call is on its way.
  }
  await program.kill('SIGTERM')
  expect(await program.exited).toEqual({ code: 0, signal: null })
  await held
})
