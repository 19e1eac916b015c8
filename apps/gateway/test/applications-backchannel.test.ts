import { fileURLToPath } from 'node:url'
import {
  confirm,
  createTicket,
  phoneToken,
  plainEnv,
  request,
  scan,
  startProcess,
  testApiKey,
  until,
  webToken,
} from '@saoma/testing'
import * as client from 'openid-client'
import { type Member, NODE_SECRET, startLogoutStage } from './logout-stage.ts'
import { begin, createBrowser, discover, logIn, loginClientAt, SECRET, scanned } from './relying-party.ts'

/* Applications are told when a session ends (Back-Channel Logout). */

const stage = await startLogoutStage()
const { cluster, nodes, redis, lines, wikiServer, boardServer, guestServer, wiki, board } = stage
const { visit, enter, sessionsOf, admin, noted, tokenAt, askToLogOut, decide } = stage

const runSessions = async (sub: string) => {
  const script = fileURLToPath(new URL('../src/bin/sessions.ts', import.meta.url))
  const env = {
    REDIS_URL: cluster.redis.url,
    SAOMA_ORIGIN: cluster.origin,
    SAOMA_SECRET: NODE_SECRET,
    SAOMA_DEMO: 'true',
  }
  const { exited } = await startProcess({
    name: 'sessions',
    command: process.execPath,
    args: [script, 'end', sub],
    env: { ...plainEnv(), ...env },
  })
  expect((await exited).code).toBe(0)
}

const ends: Record<string, (member: Member) => Promise<unknown>> = {
  'in the list of logins': ({ phone, sid }) =>
    request(`${cluster.origin}/v1/sessions/${sid}`, { method: 'DELETE', bearer: phone }),
  'with all others': ({ phone }) => request(`${cluster.origin}/v1/sessions`, { method: 'DELETE', bearer: phone }),
  'by a backend': ({ sub, sid }) =>
    request(`${cluster.origin}/v1/users/${sub}/end`, { method: 'POST', bearer: testApiKey, json: { sid } }),
  'by an administrator': ({ sub }) => admin('POST', `/accounts/${sub}/sessions/end`),
  'by an operator’s command': ({ sub }) => runSessions(sub),
  'by the limit of sessions': async ({ name }) => {
    for (let i = 0; i < 3; i++) await webToken(cluster.origin, name)
  },
  'with a disabled account': ({ sub }) => admin('POST', `/accounts/${sub}/disable`),
  'with a deleted account': ({ sub }) => admin('DELETE', `/accounts/${sub}`),
  'by logging out': async (member) => {
    const { xsrf } = await askToLogOut(member, { id_token_hint: member.hint })
    await decide(member, { xsrf, logout: 'yes' })
  },
  'because somebody else logs in at the browser': async ({ browser }) => {
    const { url } = await begin(wiki, { prompt: 'login' })
    const page = (await browser.go(url)).location
    const token = await scanned(cluster.origin, loginClientAt(page), await phoneToken(cluster.origin, 'somebody-else'))
    const { body } = await browser.post(`${page}/login`, { bearer: token })
    const { text } = await browser.go(String(body.location))
    await decide({ browser }, { xsrf: /name="xsrf" value="([^"]+)"/.exec(text)?.[1] ?? '', logout: 'yes' })
  },
}

test.each(Object.keys(ends))('applications are told when a session ends %s', async (how) => {
  const member = await enter()
  await visit(member.browser, board)
  await ends[how]?.(member)
  const { sid, sub } = member
  expect(await tokenAt(wikiServer, 'wiki')).toMatchObject({ sid, sub })
  expect(await tokenAt(boardServer, 'board', 'ES256')).toMatchObject({ sid, sub })
})

test('a code that is used twice logs the person out of that application', async () => {
  const { browser, sid, sub, phone } = await enter()
  await visit(browser, board)
  const { url, checks } = await begin(wiki)
  const answer = new URL((await browser.go(url)).location)
  await client.authorizationCodeGrant(wiki, answer, checks)
  await client.authorizationCodeGrant(wiki, answer, checks).catch(() => {})
  expect(await tokenAt(wikiServer, 'wiki')).toMatchObject({ sid, sub })
  // The session goes on, and the other application in it.
  expect((await sessionsOf(phone)).map((session) => session.sid)).toContain(sid)
  expect((await visit(browser, board)).claims()?.sid).toBe(sid)
  await request(`${cluster.origin}/v1/sessions`, { method: 'DELETE', bearer: phone })
  expect(await tokenAt(boardServer, 'board', 'ES256')).toMatchObject({ sid })
  expect(await tokenAt(wikiServer, 'wiki')).toMatchObject({ sid })
})

test('a device is told when its login ends', async () => {
  const phone = await phoneToken(cluster.origin, 'a-viewer')
  const credentials = { client_id: 'tv', client_secret: SECRET }
  const { device_code, ticket } = await createTicket(cluster.origin, { form: { ...credentials, scope: 'openid' } })
  await scan(nodes()[0] ?? '', ticket, phone)
  await confirm(nodes()[1] ?? '', ticket, phone)
  const grant_type = 'urn:ietf:params:oauth:grant-type:device_code'
  const form = { ...credentials, grant_type, device_code }
  const { status } = await request(`${cluster.origin}/oidc/token`, { form })
  expect(status).toBe(200)
  const [{ sid = '' } = {}] = await sessionsOf(phone)
  await request(`${cluster.origin}/v1/sessions`, { method: 'DELETE', bearer: phone })
  expect(await tokenAt(boardServer, 'tv')).toMatchObject({ sid })
})

test('an application that the person has not let in is told nothing', async () => {
  const phone = await phoneToken(cluster.origin, 'a-careful-person')
  const browser = createBrowser(cluster.origin, nodes())
  const guest = await discover(cluster.origin, 'guest')
  const page = (await browser.go((await begin(guest)).url)).location
  // Now the page asks whether the application may know anything.
  const consent = await logIn(browser, cluster.origin, page, phone)
  const [{ sid = '' } = {}] = await sessionsOf(phone)
  await visit(browser, wiki)
  await browser.post(`${consent}/abort`)
  await request(`${cluster.origin}/v1/sessions`, { method: 'DELETE', bearer: phone })
  expect(await tokenAt(wikiServer, 'wiki')).toMatchObject({ sid })
  expect(guestServer.tokens).toEqual([])
})

test('an application that fails twice is told in the third try', async () => {
  const { phone, sid } = await enter()
  let answers = 0
  wikiServer.answer = (res) => void res.writeHead(++answers < 3 ? 500 : 200).end()
  await request(`${cluster.origin}/v1/sessions`, { method: 'DELETE', bearer: phone })
  const tokens = [
    await tokenAt(wikiServer, 'wiki'),
    await tokenAt(wikiServer, 'wiki'),
    await tokenAt(wikiServer, 'wiki'),
  ]
  expect(tokens.map((token) => token.sid)).toEqual([sid, sid, sid])
  // Each try has a token of its own, which is good for two minutes.
  expect(new Set(tokens.map(({ jti }) => jti)).size).toBe(3)
  await until(
    () => redis.data.zcard(redis.keys.untoldDue()),
    (left) => left === 0,
  )
})

test('a node that dies between the end and the answer of the application is followed by another', async () => {
  const [first] = cluster.nodes
  if (!first) throw new Error('there are two nodes')
  const { phone, sid } = await enter()
  // It stalls.
  wikiServer.answer = () => {}
  await request(`${first.origin}/v1/sessions`, { method: 'DELETE', bearer: phone })
  expect(await tokenAt(wikiServer, 'wiki')).toMatchObject({ sid })
  await first.kill()
  wikiServer.answer = (res) => void res.end()
  expect(await tokenAt(wikiServer, 'wiki')).toMatchObject({ sid })
  await first.restart()
})

test('a refused address is told in log, audit and metric, and harms nobody else', async () => {
  const vault = await discover(cluster.origin, 'vault')
  const { phone, sid, sub, browser } = await enter(vault)
  await visit(browser, wiki)
  await request(`${cluster.origin}/v1/sessions`, { method: 'DELETE', bearer: phone })
  expect(await tokenAt(wikiServer, 'wiki')).toMatchObject({ sid, sub })
  const entries = await noted(`kind=application.untold&person=${sub}`)
  expect(entries).toEqual([expect.objectContaining({ client: 'vault', sid, reason: 'ADDRESS_REFUSED', by: 'saoma' })])
  expect(lines.filter(({ json }) => json?.event === 'logout').map(({ json }) => json)).toEqual([
    expect.objectContaining({ level: 'warn', client: 'vault', sid, reason: 'ADDRESS_REFUSED' }),
  ])
  const failed = await Promise.all(
    cluster.nodes.map(async ({ internalOrigin }) => {
      const { body } = await request<string>(`${internalOrigin}/metrics`)
      return Number(/saoma_application_logouts_total\{result="failed"\} (\d+)/.exec(body)?.[1])
    }),
  )
  expect(failed.reduce((sum, count) => sum + count, 0)).toBe(1)
})

test('what an application has yet to be told of a deleted person is left for two hours at most', async () => {
  const { sub, sid } = await enter()
  wikiServer.answer = (res) => void res.writeHead(503).end()
  await admin('DELETE', `/accounts/${sub}`)
  expect(await tokenAt(wikiServer, 'wiki')).toMatchObject({ sid })
  const [key = '', ...more] = await redis.data.keys(`${redis.keys.prefix}:untold:*`)
  expect([more, await redis.data.hget(key, 's')]).toEqual([[], sub])
  expect(await redis.data.pttl(key)).toBeLessThanOrEqual(2 * 3_600_000)
  wikiServer.answer = (res) => void res.end()
  expect(await tokenAt(wikiServer, 'wiki')).toMatchObject({ sid, sub })
  await until(
    () => redis.data.exists(key),
    (left) => left === 0,
  )
})
