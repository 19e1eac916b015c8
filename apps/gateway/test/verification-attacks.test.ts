import { readFile } from 'node:fs/promises'
import { createRedis } from '@saoma/redis'
import { type Cluster, phoneToken, startCluster } from '@saoma/testing'
import * as client from 'openid-client'
import { discover } from './relying-party.ts'
import {
  AWAY,
  beginLogin,
  from,
  HOME,
  logInAt,
  modeClients,
  otherThan,
  phoneAt,
  type TestPhone,
} from './verification-actors.ts'

/*
 * SECURITY.md, "Which attack each way of confirming stops". Each cell of that table is a test here, which
 * plays the attacker against an application with that mode. The last test compares the table with these
 * tests.
 */

type Cell = 'stopped' | 'not'
type Mode = 'tap' | 'number' | 'network'
const cells = new Map<string, Map<Mode, Cell>>()

let cluster: Cluster
let token: string
/** The person, at home. */
let alice: TestPhone

beforeAll(async () => {
  cluster = await startCluster({ nodes: 2, env: { SAOMA_CLIENTS: modeClients } })
  token = await phoneToken(cluster.origin, 'alice')
  alice = phoneAt(cluster, token, HOME)
})
afterAll(() => cluster.stop())

/**
 * A cell of the table.
 * @param play  resolves with whether the attacker is logged in as the person
 */
const attack = (name: string, mode: Mode, expected: Cell, play: (mode: Mode) => Promise<boolean>): void => {
  const row = cells.get(name) ?? new Map<Mode, Cell>()
  cells.set(name, row.set(mode, expected))
  test(`${name}, ${mode}: ${expected}`, async () => {
    expect(await play(mode)).toBe(expected === 'not')
  })
}

/** Whether an attacker's browser has got into the application, as the person. */
const isIn = async (login: Awaited<ReturnType<typeof beginLogin>>, person = 'alice'): Promise<boolean> => {
  const { tokens } = await login.finish()
  return tokens?.claims()?.name === person
}

/** The person confirms what their phone shows, and types what the screen before them shows. */
const persuade = async (ticket: string, number: string | undefined): Promise<void> => {
  const scanned = await alice.scan(ticket)
  await alice.confirm(ticket, scanned.body.verification === 'number' ? number : undefined)
}

/** The attacker has kept the picture of a code of theirs, and shows it when its time is over. */
const oldPicture = async (mode: Mode) => {
  const login = await beginLogin(cluster, mode, HOME)
  const { data, keys, close } = await createRedis({ url: cluster.redis.url, probeMs: 0 })
  await data.hset(keys.ticket(login.ticket), 'deadline', Date.now() - 1)
  await close()
  expect((await alice.scan(login.ticket)).body).toMatchObject({ code: 'TICKET_EXPIRED' })
  await persuade(login.ticket, await login.number())
  return isIn(login)
}
attack('an old picture', 'tap', 'stopped', oldPicture)
attack('an old picture', 'number', 'stopped', oldPicture)
attack('an old picture', 'network', 'stopped', oldPicture)

/** A foreign page shows the attacker's live code to the person, and the number as well. */
const relayFrom = (address: string) => async (mode: Mode) => {
  const login = await beginLogin(cluster, mode, address)
  const scanned = await alice.scan(login.ticket)
  // The foreign page goes along with what the attacker's browser is told.
  const shown = await login.number()
  if (scanned.body.verification === 'number') expect(shown).toMatch(/^\d\d$/)
  await alice.confirm(login.ticket, shown === 'none' ? undefined : shown)
  return isIn(login)
}
attack('a live code relayed from another network', 'tap', 'not', relayFrom(AWAY))
attack('a live code relayed from another network', 'number', 'not', relayFrom(AWAY))
attack('a live code relayed from another network', 'network', 'stopped', relayFrom(AWAY))
attack('a live code relayed from the same network', 'tap', 'not', relayFrom(HOME))
attack('a live code relayed from the same network', 'number', 'not', relayFrom(HOME))
attack('a live code relayed from the same network', 'network', 'not', relayFrom(HOME))

/** Requests come again and again, until the person says yes without a look at any screen. */
const bombFrom = (address: string) => async (mode: Mode) => {
  const name = `bombed by ${address}`
  const bombed = phoneAt(cluster, await phoneToken(cluster.origin, name), HOME)
  for (let i = 0; i < 3; i++) {
    const login = await beginLogin(cluster, mode, address)
    await bombed.scan(login.ticket)
    await bombed.confirm(login.ticket)
    if (await isIn(login, name)) return true
  }
  // Or types any digits, to be left in peace.
  const login = await beginLogin(cluster, mode, address)
  await bombed.scan(login.ticket)
  const number = await login.number()
  for (const turn of [1, 2, 3]) if (number !== 'none') await bombed.confirm(login.ticket, otherThan(number, turn))
  return isIn(login, name)
}
attack('a yes without a look, from another network', 'tap', 'not', bombFrom(AWAY))
attack('a yes without a look, from another network', 'number', 'stopped', bombFrom(AWAY))
attack('a yes without a look, from another network', 'network', 'stopped', bombFrom(AWAY))
attack('a yes without a look, from the same network', 'tap', 'not', bombFrom(HOME))
attack('a yes without a look, from the same network', 'number', 'stopped', bombFrom(HOME))
attack('a yes without a look, from the same network', 'network', 'not', bombFrom(HOME))

/** Somebody has the token of the person's phone, and confirms a login of their own, at their place. */
const stolenPhoneToken = async (mode: Mode) => {
  const thief = phoneAt(cluster, token, AWAY)
  const login = await beginLogin(cluster, mode, AWAY)
  await thief.scan(login.ticket)
  await thief.confirm(login.ticket, mode === 'number' ? await login.number() : undefined)
  return isIn(login)
}
attack('a stolen token of the phone', 'tap', 'not', stolenPhoneToken)
attack('a stolen token of the phone', 'number', 'not', stolenPhoneToken)
attack('a stolen token of the phone', 'network', 'not', stolenPhoneToken)

/** Somebody has the refresh token of the application, and uses it elsewhere. */
const stolenRefreshToken = async (mode: Mode) => {
  const { tokens } = await logInAt(cluster, mode, alice)
  const thief = await discover(cluster.origin, mode, {}, true)
  thief[client.customFetch] = (url, options) =>
    fetch(url, { ...(options as RequestInit), headers: { ...options.headers, ...from(AWAY).headers } })
  const stolen = await client.refreshTokenGrant(thief, tokens?.refresh_token ?? '').catch(() => undefined)
  return stolen?.claims()?.sub === tokens?.claims()?.sub && stolen !== undefined
}
attack('a stolen refresh token', 'tap', 'not', stolenRefreshToken)
attack('a stolen refresh token', 'number', 'not', stolenRefreshToken)
attack('a stolen refresh token', 'network', 'not', stolenRefreshToken)

test('the person’s own login goes through in each mode', async () => {
  for (const mode of ['tap', 'number', 'network'] as const) {
    const { tokens } = await logInAt(cluster, mode, alice)
    expect(tokens?.claims()).toMatchObject({ name: 'alice', acr: `urn:saoma:acr:${mode}`, amr: ['mca', 'user'] })
  }
})

test('SECURITY.md has this table', async () => {
  const text = await readFile(new URL('../../../SECURITY.md', import.meta.url), 'utf8')
  const [, section = ''] = text.split('## Which attack each way of confirming stops')
  const rows = [...section.matchAll(/^\| (.+?) \| (\w+) \| (\w+) \| (\w+) \|$/gm)].slice(1)
  const written = rows.map(([, name = '', ...row]) => [name, row])
  const tested = [...cells].map(([name, row]) => [name, [row.get('tap'), row.get('number'), row.get('network')]])
  expect(written).toEqual(tested)
})
