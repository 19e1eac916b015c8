/*
 * What an engineer of a company does on the first day: bring its people, log two of them in, look at what
 * happened, end one everywhere, and delete the other. It starts a cluster of its own with a simulated WeChat,
 * and fails at the first thing that is not as docs/login.md and docs/operate.md promise.
 *
 *   npm run company
 *   npm run company -- --people 2000     fewer people than 100,000
 *
 * It needs Chromium.
 */

import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import type { AuditPage } from '@saoma/audit'
import type { LoginScreen } from '@saoma/miniprogram/src/logic/login-screen.ts'
import { createProgram } from '@saoma/miniprogram/src/logic/program.ts'
import { createRedis, type RedisClients } from '@saoma/redis'
import {
  type Cluster,
  cleanUp,
  createWx,
  ensurePage,
  ensurePrograms,
  launchBrowser,
  liveSettings,
  onCleanup,
  pageFolder,
  plainEnv,
  request,
  startCluster,
  startProcess,
  testAdminKey,
  until,
} from '@saoma/testing'

const HOOK_SECRET = 'a secret of the account hook'
const NODE_SECRET = 'a secret of the nodes, which nobody keeps'
const PHONE = '+8613800138000'
/** Whom the company knows: Ann may log in, and Ben may not any more. */
const ANN = { person: 'ann', sub: 'ann.example', name: 'Ann Example' }
const BEN = { person: 'ben', sub: 'ben.example', name: 'Ben Example' }
const NO = '您已离职，请联系人事部。'
const WHY = 'Please log in again with your new badge.'

/** What a deletion leaves that names a person, by a part of its key, as docs/operate.md lists it. */
const STAYS = {
  ':account:': 'that this sub was deleted, for 90 days',
  ':sessions-end:': 'so that a login of before gets nothing, for minutes',
  ':ends': 'so that a socket of before ends, for an hour',
  ':audit:': 'that the account was deleted',
}

const say = (sentence: string): void => console.log(sentence)

/** The company's account hook. It is asked at every login. */
const startHook = async (): Promise<string> => {
  const read = async (req: IncomingMessage): Promise<string> => {
    let text = ''
    for await (const chunk of req) text += chunk
    return text
  }
  const server = createServer(async (req, res) => {
    const { sub } = JSON.parse(await read(req)) as { sub?: string }
    const isAnn = req.headers.authorization === `Bearer ${HOOK_SECRET}` && sub === ANN.sub
    res.setHeader('Content-Type', 'application/json')
    res.end(JSON.stringify(isAnn ? { allow: true, claims: { name: ANN.name } } : { allow: false, detail: NO }))
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  onCleanup(() => void server.close())
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/account`
}

/** What `wx.login` gives on the phone of a person. */
const codeOf = async ({ simulator }: Cluster, person: string): Promise<string> => {
  const { body } = await request<{ js_code: string }>(`${simulator?.origin}/simulator/login`, { json: { person } })
  return body.js_code
}

type ScreenOf<S extends LoginScreen['status']> = Extract<LoginScreen, { status: S }>

/** The mini-program on the phone of a person who has scanned a code. It talks to one node. */
const openPhone = (cluster: Cluster, origin: string, person: string, ticket: string) => {
  const device = createWx({ login: () => codeOf(cluster, person) })
  const program = createProgram({ wx: device.wx, origin, now: device.now })
  const page = program.login(() => {})
  onCleanup(() => {
    page.close()
    program.close()
  })
  page.open({ scene: encodeURIComponent(ticket), launchScene: 1047 })
  return {
    confirm: () => page.confirm(),
    reaches: async <S extends LoginScreen['status']>(status: S): Promise<ScreenOf<S>> =>
      (await until(
        async () => page.screen,
        (screen) => screen.status === status,
      )) as ScreenOf<S>,
  }
}

/** The openid of a person, as the company has it in its own table. */
const openidOf = async (cluster: Cluster, person: string): Promise<string> => {
  const { simulator } = cluster
  assert(simulator !== undefined, 'there is no simulator')
  const { WECHAT_APPID: appid, WECHAT_SECRET: secret } = simulator.env
  const query = new URLSearchParams({
    ...{ appid, secret, grant_type: 'authorization_code' },
    js_code: await codeOf(cluster, person),
  })
  // WeChat says that this JSON is plain text.
  const answer = await fetch(`${simulator.origin}/sns/jscode2session?${query}`)
  return (JSON.parse(await answer.text()) as { openid: string }).openid
}

/** Runs the command as an operator does. Resolves with what it prints. */
const saoma = async (args: readonly string[]): Promise<string> => {
  say(`$ saoma ${args.join(' ')}`)
  const command = await startProcess({
    name: `saoma ${args[0]}`,
    command: process.execPath,
    args: ['apps/cli/src/main.ts', ...args],
    env: plainEnv(),
  })
  const { code } = await command.exited
  const text = command.lines.map((line) => line.text).join('\n')
  assert(code === 0, `saoma ${args.join(' ')} ended with ${code}:\n${text}`)
  return text
}

/** The names of all keys that hold one of some texts, in their name or in their value. */
const search = async ({ data }: RedisClients, texts: readonly string[]): Promise<string[]> => {
  const found: string[] = []
  let cursor = '0'
  do {
    const [next, keys] = await data.scan(cursor, 'COUNT', 1_000)
    cursor = next
    const values = await Promise.all(keys.map((key) => readAll(data, key)))
    found.push(...keys.filter((key, i) => texts.some((text) => key.includes(text) || values[i]?.includes(text))))
  } while (cursor !== '0')
  return found.sort()
}

const readAll = async (data: RedisClients['data'], key: string): Promise<string> => {
  switch (await data.type(key)) {
    case 'string':
      return (await data.get(key)) ?? ''
    case 'hash':
      return JSON.stringify(await data.hgetall(key))
    case 'stream':
      return JSON.stringify(await data.xrange(key, '-', '+'))
    case 'set':
      return JSON.stringify(await data.smembers(key))
    case 'zset':
      return JSON.stringify(await data.zrange(key, '0', '-1'))
    case 'list':
      return JSON.stringify(await data.lrange(key, 0, -1))
    default:
      return ''
  }
}

const writePeople = async (cluster: Cluster, file: string, count: number): Promise<string[]> => {
  const openids = await Promise.all([ANN, BEN].map(({ person }) => openidOf(cluster, person)))
  const known = [ANN, BEN].map(({ sub, name }, i) => ({ id: openids[i], sub, claims: { name, phone_number: PHONE } }))
  const others = Array.from({ length: count - known.length }, (_, i) => ({
    id: `oOther${`${i}`.padStart(22, '0')}`,
    sub: `employee-${i + 3}`,
  }))
  await writeFile(file, [...known, ...others].map((line) => JSON.stringify(line)).join('\n'))
  return openids
}

const main = async (count: number): Promise<void> => {
  await ensurePage(say)
  await ensurePrograms(['redis', 'nginx', 'chromium'], say)
  const folder = await mkdtemp(join(tmpdir(), 'saoma-company-'))
  onCleanup(() => rm(folder, { recursive: true }))
  const env = {
    SAOMA_DEMO: 'false',
    SAOMA_SECRET: NODE_SECRET,
    SAOMA_ACCOUNT_URL: await startHook(),
    SAOMA_ACCOUNT_SECRET: HOOK_SECRET,
    SAOMA_ACCOUNT_WHEN: 'login',
    SAOMA_WEB_ROOT: pageFolder,
  }
  const cluster = await startCluster({ nodes: 2, simulator: true, env })
  const [a, b] = cluster.nodes
  assert(a !== undefined && b !== undefined && cluster.simulator !== undefined, 'the cluster is not whole')
  const settings = { ...liveSettings, ...env, ...cluster.simulator.env }
  const nodeEnv = join(folder, 'node.env')
  const lines = Object.entries({ ...settings, REDIS_URL: cluster.redis.url, SAOMA_ORIGIN: cluster.origin })
  await writeFile(nodeEnv, lines.map(([name, value]) => `${name}='${value}'`).join('\n'))
  const administer = <T = unknown>(path: string, method = 'GET', json?: unknown) =>
    request<T>(`${a.internalOrigin}/v1/admin${path}`, { method, bearer: testAdminKey, ...(json ? { json } : {}) })

  say(`1. Import ${count.toLocaleString('en')} people.`)
  const people = join(folder, 'people.jsonl')
  const [, openid = ''] = await writePeople(cluster, people, count)
  const began = performance.now()
  say(await saoma(['accounts', 'import', people, '--env-file', nodeEnv]))
  say(`   ${Math.round((count / (performance.now() - began)) * 1000).toLocaleString('en')} people a second.`)

  say('2. Ann logs in: her phone asks node a, and her page shows it.')
  const browser = await launchBrowser()
  const page = await (await browser.newContext({ locale: 'en' })).newPage()
  const asking = page.waitForResponse((response) => response.url().endsWith('/oidc/device/auth'))
  const redeeming = page.waitForResponse(
    (response) => response.url().endsWith('/oidc/token') && response.request().method() === 'POST' && response.ok(),
  )
  await page.goto(cluster.origin)
  const { ticket } = (await (await asking).json()) as { ticket: string }
  const phone = openPhone(cluster, a.origin, ANN.person, ticket)
  await phone.reaches('asking')
  void phone.confirm()
  const { refresh_token: refreshToken } = (await (await redeeming).json()) as { refresh_token: string }
  await page.getByText(`Hello, ${ANN.name}`).waitFor()
  say(`   The page says "Hello, ${ANN.name}".`)

  say('   Ben scans at node b, and the hook refuses him.')
  const { body: another } = await request<{ ticket: string }>(`${b.origin}/oidc/device/auth`, {
    form: { client_id: 'web', scope: 'openid' },
  })
  const refused = await openPhone(cluster, b.origin, BEN.person, another.ticket).reaches('failed')
  assert(refused.code === 'ACCOUNT_REFUSED' && refused.detail === NO, `the phone shows ${JSON.stringify(refused)}`)
  say(`   His phone says "${refused.detail}"`)

  say('3. Find both in the audit.')
  const entriesOf = async (sub: string, kind: string) =>
    (
      await until(
        async () => (await administer<AuditPage>(`/audit?person=${sub}&order=oldest`)).body.entries,
        (entries) => entries.some((entry) => entry.kind === kind),
      )
    ).map((entry) => entry.kind)
  say(`   Ann: ${(await entriesOf(ANN.sub, 'login.redeemed')).join(', ')}`)
  say(`   Ben: ${(await entriesOf(BEN.sub, 'account.refused')).join(', ')}`)

  say('4. End Ann everywhere.')
  const ended = await administer<{ ended: number }>(`/accounts/${ANN.sub}/sessions/end`, 'POST', { reason: WHY })
  assert(ended.status === 200 && ended.body.ended === 1, `the answer is ${JSON.stringify(ended)}`)
  for (const { origin } of cluster.nodes) {
    const form = { grant_type: 'refresh_token', client_id: 'web', refresh_token: refreshToken }
    const { status, body } = await request<{ error: string }>(`${origin}/oidc/token`, { form })
    assert(status === 400 && body.error === 'invalid_grant', `the refresh token gives ${status}`)
  }
  say('   Her refresh token is dead on both nodes.')
  await page.getByText(WHY).waitFor()
  say(`   Her page says "${WHY}"`)

  say('5. Delete Ben.')
  const redis = await createRedis({ url: cluster.redis.url, probeMs: 0 })
  onCleanup(() => redis.close())
  const personal = [openid, BEN.name, PHONE.slice(1)]
  const before = await search(redis, [BEN.sub, ...personal])
  assert(before.length > 0, 'the search finds nothing before the deletion either')
  const deleted = await administer<{ state: string }>(`/accounts/${BEN.sub}`, 'DELETE')
  assert(deleted.body.state === 'deleted', `the answer is ${JSON.stringify(deleted)}`)
  assert((await search(redis, personal)).length === 0, 'something personal is left')
  const left = await search(redis, [BEN.sub])
  say(`   ${before.length} keys named him before. Now ${left.length} do:`)
  for (const key of left) {
    const why = Object.entries(STAYS).find(([part]) => key.includes(part))?.[1]
    assert(why !== undefined, `${key} is left, and docs/operate.md does not say so`)
    say(`   ${key}: ${why}`)
  }
  const byIdentity = new URLSearchParams({ provider: 'wechat', app: cluster.simulator.env.WECHAT_APPID, id: openid })
  const found = await administer<{ accounts: unknown[] }>(`/accounts?${byIdentity}`)
  assert(found.status === 200 && found.body.accounts.length === 0, `the search answers ${JSON.stringify(found)}`)
  const noted = await entriesOf(BEN.sub, 'account.deleted')
  assert(noted.join() === 'account.deleted', `the audit still has ${noted.join()}`)
  say('Everything is as docs/login.md and docs/operate.md say.')
}

const { values } = parseArgs({ options: { people: { type: 'string', default: '100000' } } })
try {
  await main(Number(values.people))
} finally {
  await cleanUp()
}
