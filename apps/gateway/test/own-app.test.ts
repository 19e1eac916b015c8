import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { stripTypeScriptTypes } from 'node:module'
import { createConnection } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import { TOKEN_EXCHANGE_GRANT } from '@saoma/protocol'
import {
  attemptPhoneToken,
  attemptTicket,
  createTicket,
  ensurePrograms,
  freePort,
  type Gateway,
  onCleanup,
  pageBlocks,
  phoneToken,
  plainEnv,
  poll,
  redeem,
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
import { generateKeyPair } from 'jose'

import { json, startBusinessServer } from './business-server.ts'
import { createJwtSigner, inSeconds } from './jwt-signer.ts'

/* docs/own-app.md: its code is run, and each call of its tables is made. */

const PAGE = 'docs/own-app.md'
const PRINTED = { saoma: '127.0.0.1:8080', business: '127.0.0.1:4300' }
const OWN_TOKEN = 'token-of-ana'

const repository = fileURLToPath(new URL('../../../', import.meta.url))
const JWT = 'urn:ietf:params:oauth:token-type:jwt'

let folder: string
let origin: string
let nodes: readonly Gateway[]
/** The file of the issuers, which has none at first. */
let issuers: string
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
  const confirming = await settingsOf(block('sh', 'SAOMA_PHONE_ISSUERS'))
  expect(confirming).toEqual({
    SAOMA_PHONE_ISSUERS: expect.stringMatching(/\/issuers\.json$/),
    SAOMA_CODE_OPENS: 'app',
  })
  const opening = await settingsOf(block('sh', 'SAOMA_ANDROID_APPS'))
  issuers = join(folder, 'issuers.json')
  await writeFile(issuers, '[]')
  const all = { ...env, ...confirming, ...opening, SAOMA_PHONE_ISSUERS: issuers }
  ;({ origin, nodes } = await startCluster({ env: all }))
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

test('with nothing but its own tokens a cluster serves channels, and nobody can be a phone', async () => {
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

describe('the app confirms', () => {
  let backend: string
  beforeAll(async () => {
    const port = await freePort()
    backend = `http://127.0.0.1:${port}`
    const { command, args } = nodeCommand(block('sh', 'backend.ts'))
    await startProcess({
      ...{ name: 'the backend of an app', command, args, cwd: repository },
      env: { ...plainEnv(), PORT: `${port}`, AUDIENCE: origin },
      ready: ({ text }) => text.startsWith('listening on '),
    })
    const text = block('json', '"issuer"').replaceAll('http://127.0.0.1:4300', backend)
    await writeFile(issuers, text.replace('http://127.0.0.1:8080', origin))
    // The nodes read the file again.
    for (const node of nodes)
      await until(
        async () => exchange(await subjectToken('first'), {}, node.origin),
        ({ status }) => status === 200,
      )
  })

  const appCommand = block('sh', 'own-app/app.ts')

  /** A command of the page, whose program is this Node. */
  const nodeCommand = (line: string): { command: string; args: string[] } => {
    const [program, ...args] = line.trim().split(' ')
    expect(program).toBe('node')
    return { command: process.execPath, args }
  }
  const subjectToken = async (person: string, jkt?: string): Promise<string> => {
    const { body } = await request<{ session: string }>(`${backend}/login`, { json: { person } })
    const asked = { bearer: body.session, json: jkt ? { jkt } : {} }
    return (await request<{ subject_token: string }>(`${backend}/saoma-token`, asked)).body.subject_token
  }
  const exchange = (token: string, headers: Record<string, string> = {}, at = origin) =>
    request<Record<string, string>>(`${at}/oidc/token`, {
      form: {
        ...{ grant_type: TOKEN_EXCHANGE_GRANT, client_id: 'phone' },
        ...{ subject_token: token, subject_token_type: JWT },
      },
      headers,
    })
  /** A block of TypeScript of the page, as a module. */
  const load = async <T>(words: string): Promise<T> => {
    const file = join(repository, 'node_modules/.cache', `own-app-${words.replace(/\W/g, '')}-${process.pid}.mjs`)
    await mkdir(dirname(file), { recursive: true })
    onCleanup(() => rm(file, { force: true }))
    const code = block('ts', words).replace('https://login.example.com', origin)
    await writeFile(file, stripTypeScriptTypes(code))
    return import(pathToFileURL(file).href) as Promise<T>
  }

  test.each([
    ['yes', 'confirmed'],
    ['no', 'rejected'],
  ])('the stand-in shows who asks, and obeys a %s', async (word, status) => {
    const { ticket, verification_uri_complete, user_code, device_code } = await createTicket(origin)
    const { args } = nodeCommand(appCommand)
    const script = [process.execPath, ...args].join(' ').replace('http://127.0.0.1:8080/l/…', verification_uri_complete)
    const said = await runShell(`echo ${word} | SAOMA=${origin} BACKEND=${backend} ${script}`, { cwd: repository })
    expect(said).toContain(`userCode: ${user_code}`)
    expect(said.trim().endsWith(status)).toBe(true)
    const { body } = await poll(origin, device_code)
    expect(body).toMatchObject({ ticket, status })
  })

  test('the three calls log somebody in', async () => {
    interface Calls {
      exchange(subjectToken: string): Promise<string>
      scan(token: string, ticket: string): Promise<{ request: { userCode: string } }>
      confirm(token: string, ticket: string): Promise<unknown>
    }
    const calls = await load<Calls>('const act')
    const { ticket, user_code, device_code } = await createTicket(origin)
    const used = await subjectToken('ben')
    const token = await calls.exchange(used)
    expect((await calls.scan(token, ticket)).request.userCode).toBe(user_code)
    await calls.confirm(token, ticket)
    const { body } = await redeem(origin, device_code)
    expect(JSON.parse(Buffer.from(body.id_token?.split('.')[1] ?? '', 'base64url').toString())).toMatchObject({
      name: 'ben',
    })
    await expect(calls.exchange(used)).rejects.toThrow('used before')
    await expect(calls.scan(token, ticket)).rejects.toThrow('TICKET_SETTLED')
  })

  test('the proof of the page binds the token', async () => {
    type Proof = (keys: object, method: string, url: string, token?: string) => Promise<string>
    const { proofOf } = await load<{ proofOf: Proof }>('proofOf')
    const keys = await generateKeyPair('ES256')
    const dpop = await proofOf(keys, 'POST', `${origin}/oidc/token`)
    const { body } = await exchange(await subjectToken('cyd'), { dpop })
    expect(body.token_type).toBe('DPoP')
    const url = `${origin}/v1/sessions`
    const headers = {
      authorization: `DPoP ${body.access_token}`,
      dpop: await proofOf(keys, 'GET', url, body.access_token),
    }
    expect((await request(url, { headers })).status).toBe(200)
    expect((await request(url, { bearer: body.access_token ?? '' })).status).toBe(401)
  })

  test('the other languages make the same calls', () => {
    const sent = [
      '/oidc/token',
      'grant_type',
      TOKEN_EXCHANGE_GRANT,
      'client_id',
      'subject_token',
      'subject_token_type',
      JWT,
    ]
    for (const language of ['kotlin', 'swift', 'dart']) {
      const code = block(language, 'exchange')
      for (const words of [...sent, '/scan', '/confirm', '/reject', 'Bearer ']) expect(code).toContain(words)
    }
  })

  test('what opens the app is served, for what the manifest names', async () => {
    const rows = await rowsUnder('served | is')
    expect(rows).toHaveLength(3)
    for (const row of rows) expectGiven(row, await call(row, '', { ticket: 'A'.repeat(22) }), 0)
    const { body } = await request<{ applinks: { details: { components: { '/': string }[] }[] } }>(
      `${origin}/.well-known/apple-app-site-association`,
    )
    const prefix = /pathPrefix="([^"]+)"/.exec(block('xml', 'autoVerify'))?.[1]
    expect(body.applinks.details[0]?.components[0]?.['/']).toBe(`${prefix}*`)
    const { ticket, verification_uri_complete } = await createTicket(origin)
    expect(verification_uri_complete).toBe(`${origin}${prefix}${ticket}`)
    for (const opens of ['phone', 'app'])
      expect((await request(`${origin}/v1/tickets/${ticket}/qr?opens=${opens}`)).status).toBe(200)
  })
})

// The last one: the others have taken theirs.
test('every block of the page is run', () => {
  expect([...left]).toEqual([])
})
