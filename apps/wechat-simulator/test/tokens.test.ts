import { appid, type Started, secret, start } from './start.ts'

const credential = { grant_type: 'client_credential', appid, secret }
const normalToken = async (simulator: Started) =>
  String((await simulator.json('/cgi-bin/token', { query: credential })).access_token)

test('a stable token stays the same until its last five minutes and then overlaps the next', async () => {
  const simulator = await start()
  const { clock } = simulator.state
  const first = await simulator.stableToken()
  expect(first.expires_in).toBe(7200)
  clock.advance(6_900_000)
  expect(await simulator.stableToken()).toEqual({ access_token: first.access_token, expires_in: 300 })
  clock.advance(1_000)
  const second = await simulator.stableToken()
  expect(second.access_token).not.toBe(first.access_token)
  expect(second.expires_in).toBe(7200)
  expect(await simulator.refusalOf(first.access_token)).toBe(0)
  clock.advance(299_000)
  expect(await simulator.refusalOf(first.access_token)).toBe(42001)
  expect(await simulator.refusalOf(second.access_token)).toBe(0)
})

test('force_refresh ends the previous token at once', async () => {
  const simulator = await start()
  const first = await simulator.stableToken()
  const second = await simulator.stableToken(true)
  expect(second.access_token).not.toBe(first.access_token)
  expect(await simulator.refusalOf(first.access_token)).toBe(40001)
  expect(await simulator.stableToken()).toEqual(second)
})

test('force_refresh changes nothing within 30 seconds of the last', async () => {
  const simulator = await start()
  const first = await simulator.stableToken(true)
  simulator.state.clock.advance(29_999)
  expect((await simulator.stableToken(true)).access_token).toBe(first.access_token)
  simulator.state.clock.advance(1)
  expect((await simulator.stableToken(true)).access_token).not.toBe(first.access_token)
  expect(simulator.state.tokens.minted.forced).toBe(2)
})

test('force_refresh works twenty times a day', async () => {
  const simulator = await start()
  for (let i = 0; i < 20; i++) {
    expect(await simulator.stableToken(true)).toHaveProperty('access_token')
    simulator.state.clock.advance(30_000)
  }
  expect(await simulator.stableToken(true)).toHaveProperty('errcode', 45009)
  expect(await simulator.stableToken()).toHaveProperty('access_token')
  simulator.state.clock.advance(24 * 3_600_000)
  expect(await simulator.stableToken(true)).toHaveProperty('access_token')
})

test('a normal token is new at every call, and the previous one works five more minutes', async () => {
  const simulator = await start()
  const first = await normalToken(simulator)
  const second = await normalToken(simulator)
  expect(second).not.toBe(first)
  expect(await simulator.refusalOf(first)).toBe(0)
  simulator.state.clock.advance(300_000)
  expect(await simulator.refusalOf(first)).toBe(40001)
  expect(await simulator.refusalOf(second)).toBe(0)
})

test('normal and stable tokens are independent', async () => {
  const simulator = await start()
  const normal = await normalToken(simulator)
  const stable = await simulator.stableToken()
  await normalToken(simulator)
  simulator.state.clock.advance(300_000)
  expect(await simulator.refusalOf(stable.access_token)).toBe(0)
  const latest = await normalToken(simulator)
  await simulator.stableToken(true)
  expect(await simulator.refusalOf(latest)).toBe(0)
  expect(await simulator.refusalOf(normal)).toBe(40001)
})

test('stable_token has a limit per minute and one per day', async () => {
  const minute = await start({ limits: { tokensPerMinute: 1 } })
  await minute.stableToken()
  expect(await minute.stableToken()).toHaveProperty('errcode', 45011)
  minute.state.clock.advance(60_000)
  expect(await minute.stableToken()).toHaveProperty('access_token')

  const day = await start({ limits: { tokensPerDay: 1 } })
  await day.stableToken()
  day.state.clock.advance(60_000)
  expect(await day.stableToken()).toHaveProperty('errcode', 45009)
})

test('an order expires tokens', async () => {
  const simulator = await start()
  const { access_token } = await simulator.stableToken()
  simulator.state.tokens.expire()
  expect(await simulator.refusalOf(access_token)).toBe(42001)
  expect((await simulator.stableToken()).access_token).not.toBe(access_token)
})

test('an order makes a token refused while stable_token gives it out, until it is forced', async () => {
  const simulator = await start()
  const { access_token } = await simulator.stableToken()
  simulator.state.tokens.refuse()
  expect(await simulator.refusalOf(access_token)).toBe(40001)
  expect((await simulator.stableToken()).access_token).toBe(access_token)
  expect(await simulator.refusalOf((await simulator.stableToken(true)).access_token)).toBe(0)
})
