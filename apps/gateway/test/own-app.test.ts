import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { createConnection } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import {
  attemptPhoneToken,
  attemptTicket,
  createTicket,
  ensurePrograms,
  freePort,
  onCleanup,
  pageBlocks,
  phoneToken,
  request,
  runShell,
  startCluster,
  startGateway,
  startProcess,
  startRedis,
  testApiKey,
  until,
  webToken,
} from '@saoma/testing'

import { json, startBusinessServer } from './business-server.ts'
import { createJwtSigner, inSeconds } from './jwt-signer.ts'

/* docs/own-app.md: its code is run, and each call of its tables is made. */

const PAGE = 'docs/own-app.md'
const PRINTED = { saoma: '127.0.0.1:8080', business: '127.0.0.1:4300' }
const OWN_TOKEN = 'token-of-ana'

let folder: string
let origin: string
/** A block of the page with this run's addresses. */
let own: (code: string) => string

const blocks = pageBlocks(PAGE)
/** Blocks that this file has not taken. */
const left = new Set(blocks)
/** Takes a block, to run it. */
const block = (language: string, words: string): string => {
  const [found, ...more] = blocks.filter(({ language: its, code }) => its === language && code.includes(words))
  if (!found || more.length > 0) throw new Error(`${PAGE} has not one block of ${language} with ${words}`)
  left.delete(found)
  return found.code
}
const hasPort = (port: number) => () =>
  new Promise<boolean>((resolve) => {
    const socket = createConnection({ port, host: '127.0.0.1' }, () => resolve(true))
    socket.on('error', () => resolve(false)).on('connect', () => socket.destroy())
  })

/** The settings that the page gives to `npm start`. */
const settingsOf = async (command: string): Promise<Record<string, string>> => {
  const { stdout } = await promisify(execFile)('bash', ['-c', command.replace('npm start', 'env -0')], {
    env: { PATH: process.env.PATH },
  })
  const all = stdout.split('\0').map((line): [string, string] => [line.split('=')[0] ?? '', line.replace(/^.*?=/s, '')])
  return Object.fromEntries(all.filter(([name]) => name.startsWith('SAOMA_')))
}

beforeAll(async () => {
  await ensurePrograms(['curl'], () => {})
  folder = await mkdtemp(join(tmpdir(), 'saoma-own-app-'))
  onCleanup(() => rm(folder, { recursive: true, force: true }))
  await mkdir(join(folder, '.saoma'))
  await writeFile(join(folder, '.saoma/api-key'), `${testApiKey}\n`)

  const port = await freePort()
  own = (code) => code.replaceAll(PRINTED.business, `127.0.0.1:${port}`).replaceAll('4300', `${port}`)
  await writeFile(join(folder, 'who.mjs'), own(block('js', 'createServer')))
  await startProcess({ name: 'who.mjs', command: process.execPath, args: ['who.mjs'], cwd: folder })
  await until(hasPort(port), Boolean)

  const env = await settingsOf(own(block('sh', 'SAOMA_AUTH_URL')))
  expect(Object.keys(env).sort()).toEqual(['SAOMA_AUTH_URL', 'SAOMA_CHANNELS'])
  ;({ origin } = await startCluster({ env }))
  const before = own
  own = (code) => before(code).replaceAll(PRINTED.saoma, new URL(origin).host)
}, 90_000)

/** A row of a table: the call, and for each column the status and the members of the answer. */
interface Row {
  method: string
  path: string
  gives: { status: number; members: string[] }[]
}
const rowsUnder = async (title: string): Promise<Row[]> => {
  const page = await readFile(new URL(`../../../${PAGE}`, import.meta.url), 'utf8')
  const [, table = ''] = page.split(`\n| ${title} |`)
  const rows = table.split('\n\n')[0]?.split('\n').slice(2) ?? []
  return rows.map((row) => {
    const [call = '', ...cells] = row.split('|').slice(1, -1)
    const [, method = '', path = ''] = /`([A-Z]+) (\S+)`/.exec(call) ?? []
    const gives = cells.map((cell) => ({
      status: Number(/\d{3}/.exec(cell)?.[0]),
      members: [...cell.matchAll(/`([a-zA-Z]+)`/g)].map(([, name = '']) => name),
    }))
    return { method, path, gives }
  })
}
const call = async ({ method, path }: Row, bearer: string, names: Record<string, string> = {}) => {
  const filled = path.replace(/\{(\w+)\}/g, (_, name: string) => names[name] ?? `no ${name}`)
  return request<Record<string, unknown>>(`${origin}${filled}`, { method, bearer })
}
const expectGiven = (row: Row, answer: Awaited<ReturnType<typeof call>>, column: number) => {
  const { status = 0, members = [] } = row.gives[column] ?? {}
  expect([row.path, column, answer.status]).toEqual([row.path, column, status])
  for (const member of members) expect(answer.body).toHaveProperty(member)
}

test('what a backend publishes reaches the app by the token of its own login', async () => {
  const published = JSON.parse(await runShell(own(block('sh', '/v1/publish')), { cwd: folder }))
  expect(published).toMatchObject([{ ok: true }, { ok: true }])
  const { channels } = JSON.parse(await runShell(own(block('sh', OWN_TOKEN)), { cwd: folder }))
  expect(channels).toMatchObject([
    { channel: 'user:1001', messages: [{ event: 'order', data: { id: 7 } }] },
    { channel: 'room:team-7', messages: [{ event: 'hi', data: 1 }] },
  ])
  const rows = await rowsUnder("call with the app's token | gives")
  expect(rows).toHaveLength(3)
  for (const row of rows) expectGiven(row, await call(row, OWN_TOKEN), 0)
  expect(await request(`${origin}/v1/users/1001/end`, { method: 'POST', bearer: testApiKey, json: {} })).toMatchObject({
    status: 202,
  })
})

test('each call of a phone gives what the table says, and to a token of the own login too', async () => {
  const rows = await rowsUnder('call | gives a phone | gives your token')
  expect(rows).toHaveLength(8)
  const [phone, { ticket, user_code }, other] = await Promise.all([
    phoneToken(origin, 'ana'),
    createTicket(origin),
    createTicket(origin),
  ])
  // A login of that person, to be listed and ended.
  await webToken(origin, 'ana')
  const names: Record<string, string> = {
    ticket,
    user_code,
    other_ticket: other.ticket,
    scene: 'A'.repeat(24),
  }
  for (const row of rows) {
    // First the token that is refused: it must not change anything.
    expectGiven(row, await call(row, OWN_TOKEN, { ...names, sid: names.sid ?? 'A'.repeat(22) }), 1)
    const answer = await call(row, phone, names)
    expectGiven(row, answer, 0)
    const [first] = (answer.body.sessions ?? []) as { sid: string }[]
    if (first) names.sid = first.sid
  }
})

test('nodes verify a JWT with the claims of the table, until an end', async () => {
  const signer = await createJwtSigner('first')
  const keys = await startBusinessServer(json({ keys: [signer.jwk] }))
  const env = await settingsOf(block('sh', 'SAOMA_AUTH_JWKS'))
  expect(env.SAOMA_AUTH_JWKS).toBe('https://login.acme.example/jwks.json')
  const { url } = await startRedis()
  const node = await startGateway({
    redisUrl: url,
    nodeId: 'a',
    origin: 'http://127.0.0.1',
    env: { ...env, SAOMA_AUTH_JWKS: keys.url, SAOMA_CHANNELS: '[{"match":"room:team-*","follow":"members"}]' },
  })
  const page = await readFile(new URL(`../../../${PAGE}`, import.meta.url), 'utf8')
  const cells = new Map(
    (page.split('\n| claim | for example |\n')[1]?.split('\n\n')[0] ?? '').split('\n').map((row) => {
      const [name = '', example = ''] = row.split('|').slice(1, -1)
      const text = (cell: string) => [...cell.matchAll(/`([^`]+)`/g)].map(([, word = '']) => word)
      return [text(name)[0] ?? '', text(example)] as const
    }),
  )
  const [iss, aud] = cells.get('iss') ?? []
  const [sub = ''] = cells.get('sub') ?? []
  const rooms = JSON.parse(cells.get('https://acme.example/rooms')?.[0] ?? 'null')
  const claims = { iss, aud, sub, 'https://acme.example/rooms': rooms }
  const before = await signer.sign({ ...claims, iat: inSeconds(-60) })
  const read = (bearer: string) =>
    request<{ channels: object[] }>(`${node.origin}/v1/messages?channel=@user&channel=room:team-7`, { bearer })
  expect((await read(before)).body.channels).toMatchObject([{ channel: 'user:1001' }, { channel: 'room:team-7' }])
  const end = { method: 'POST', bearer: testApiKey, json: {} }
  expect(await request(`${node.origin}/v1/users/${sub}/end`, end)).toMatchObject({ status: 202 })
  expect(await read(before)).toMatchObject({ status: 401, body: { code: 'REVOKED' } })
  expect(await read(await signer.sign(claims))).toMatchObject({ status: 200 })
})

test('without WeChat and demo mode a cluster serves channels, and nobody can be a phone', async () => {
  const { url } = await startRedis()
  const authUrl = own(`http://${PRINTED.business}/`)
  const env = { SAOMA_DEMO: 'false', SAOMA_AUTH_URL: authUrl, NODE_ENV: 'production' }
  const node = await startGateway({ redisUrl: url, nodeId: 'a', origin: 'http://127.0.0.1', env })
  expect(await request(`${node.origin}/v1/channels/@user/inbox`, { bearer: OWN_TOKEN })).toMatchObject({ status: 200 })
  const created = await attemptTicket(node.origin)
  expect(created.status).toBe(200)
  const picture = `${node.origin}/v1/tickets/${created.body.ticket}/qr`
  expect(await request(picture, { headers: { accept: 'application/json' } })).toMatchObject({ body: { code: 'plain' } })
  for (const code of ['demo:ana', 'a code of WeChat'])
    expect(await attemptPhoneToken(node.origin, code)).toMatchObject({ status: 400, body: { error: 'invalid_grant' } })
})

// The last one: the others have taken theirs.
test('every block of the page is run', () => {
  expect([...left]).toEqual([])
})
