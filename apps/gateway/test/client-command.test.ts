import { createHash } from 'node:crypto'
import { mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { CIBA_GRANT } from '@saoma/protocol'
import { onCleanup, plainEnv, startProcess, until } from '@saoma/testing'
import { createClientList } from '../src/access/client-list.ts'
import { parseClients } from '../src/access/read-clients.ts'

const DEVICE = 'urn:ietf:params:oauth:grant-type:device_code'
const script = fileURLToPath(new URL('../src/bin/client.ts', import.meta.url))
const fileOf = async (text?: string): Promise<string> => {
  const folder = await mkdtemp(join(tmpdir(), 'saoma-client-'))
  onCleanup(() => rm(folder, { recursive: true }))
  const file = join(folder, 'clients.json')
  if (text !== undefined) await writeFile(file, text)
  return file
}
const run = async (...args: readonly string[]) => {
  const { exited, lines } = await startProcess({
    name: `client ${args.join(' ')}`,
    command: process.execPath,
    args: ['--', script, ...args],
    env: plainEnv(),
    cwd: tmpdir(),
  })
  const { code } = await exited
  return { code, said: lines.map(({ text }) => text).join('\n') }
}
const wiki = ['wiki', '--name', 'Our wiki', '--redirect', 'https://wiki.example.com/callback', '--first-party']
const clientsIn = async (file: string) => parseClients(await readFile(file, 'utf8'))

test('an application is added with a secret that is shown once, listed and removed', async () => {
  const file = await fileOf()
  const logout = 'https://wiki.example.com/logout'
  const more = ['--refresh', '--backchannel-logout', logout, '--network', '10.0.0.0/8']
  const added = await run('add', ...wiki, ...more, '--verify', 'network-or-number', '--file', file)
  expect(added.code).toBe(0)
  const secret = /shown once: ([\w-]{43})$/m.exec(added.said)?.[1] ?? ''
  const { clients, problems } = await clientsIn(file)
  expect(problems).toEqual([])
  expect(clients.get('wiki')).toEqual({
    id: 'wiki',
    name: 'Our wiki',
    type: 'confidential',
    party: 'first',
    redirectUris: ['https://wiki.example.com/callback'],
    postLogoutRedirectUris: [],
    backchannelLogoutUri: logout,
    grants: ['authorization_code', 'refresh_token'],
    scopes: ['openid', 'profile'],
    idTokenAlg: 'RS256',
    verify: 'network-or-number',
    networks: ['10.0.0.0/8'],
    secretSha256: createHash('sha256').update(secret).digest('hex'),
    registration: expect.stringMatching(/^issued \d+$/),
  })
  expect(await readFile(file, 'utf8')).not.toContain(secret)
  expect((await run('list', '--file', file)).said).toMatch(/^wiki +confidential +first +Our wiki$/m)
  expect((await run('add', ...wiki, '--file', file)).said).toContain('has wiki already')
  expect((await run('remove', 'wiki', '--file', file)).code).toBe(0)
  expect((await clientsIn(file)).clients.size).toBe(0)
  expect((await run('remove', 'wiki', '--file', file)).code).toBe(1)
})

test('a TV is added with a grant of its own and without an address', async () => {
  const file = await fileOf()
  const args = ['add', 'tv', '--name', 'Lobby TV', '--device', '--public', '--first-party', '--refresh']
  const added = await run(...args, '--file', file)
  expect([added.code, added.said]).toEqual([0, expect.not.stringContaining('secret')])
  const { clients, problems } = await clientsIn(file)
  expect(problems).toEqual([])
  expect(clients.get('tv')).toMatchObject({ type: 'public', redirectUris: [], grants: [DEVICE, 'refresh_token'] })
  const both = [...wiki.slice(1), '--device']
  expect((await run('add', 'both', ...both, '--file', file)).code).toBe(0)
  expect((await clientsIn(file)).clients.get('both')?.grants).toEqual(['authorization_code', DEVICE])
})

test('a server that asks phones is added with a grant of its own, and perhaps where it is told', async () => {
  const file = await fileOf()
  const added = await run('add', 'desk', '--name', 'Front desk', '--push', '--first-party', '--file', file)
  expect([added.code, added.said]).toEqual([0, expect.stringContaining('shown once')])
  const bank = ['bank', '--name', 'Bank', '--push', '--refresh', '--verify', 'tap']
  const answered = 'https://bank.example.com/answered'
  expect((await run('add', ...bank, '--notify', answered, '--file', file)).code).toBe(0)
  const { clients, problems } = await clientsIn(file)
  expect(problems).toEqual([])
  expect(clients.get('desk')).toMatchObject({ type: 'confidential', redirectUris: [], grants: [CIBA_GRANT] })
  expect(clients.get('desk')).not.toHaveProperty('notificationEndpoint')
  expect(clients.get('bank')).toMatchObject({
    grants: [CIBA_GRANT, 'refresh_token'],
    notificationEndpoint: answered,
    verify: 'tap',
  })
  const both = [...wiki.slice(1), '--push']
  expect((await run('add', 'both', ...both, '--file', file)).code).toBe(0)
  expect((await clientsIn(file)).clients.get('both')?.grants).toEqual(['authorization_code', CIBA_GRANT])
})

test.each([
  [2, ['add', 'web', '--name', 'x', '--redirect', 'https://a.example/'], 'not web, phone or miniprogram'],
  [2, ['add', 'wiki', '--redirect', 'https://a.example/'], '--name'],
  [2, ['add', 'wiki', '--name', 'x'], 'Or --device'],
  [2, ['remove', 'wiki', '--device'], '--device is an option of add'],
  [2, ['list', '--public'], '--public is an option of add'],
  [2, ['add', 'app', '--name', 'x', '--verify', 'passkey'], '--verify is one of tap, number, network'],
  [2, ['remove', 'wiki', '--push'], '--push is an option of add'],
  [
    1,
    ['add', 'app', '--name', 'x', '--push', '--public'],
    'grant_types must not have urn:openid:params:grant-type:ciba',
  ],
  [1, ['add', 'app', '--name', 'x', '--push', '--verify', 'network'], 'verify must not be network'],
  [1, ['add', 'app', '--name', 'x', '--device', '--notify', 'https://a.example/'], 'is of no use without urn:openid'],
  ...['http://a.example/', 'https://a.example/#f', 'no address'].map((uri): [number, string[], string] => [
    1,
    ['add', 'app', '--name', 'x', '--push', '--notify', uri],
    'backchannel_client_notification_endpoint must be an address with https',
  ]),
  [2, ['frobnicate'], 'There is no command "frobnicate"'],
  [
    1,
    ['add', 'app', '--name', 'x', '--public', '--redirect', 'http://a.example/'],
    'redirect_uris must list addresses with https',
  ],
  [1, ['add', 'app', '--name', 'x', '--redirect', 'https://a.example/#f'], 'redirect_uris must list addresses'],
  [
    1,
    ['add', 'app', '--name', 'x', '--redirect', 'https://a.example/', '--scope', 'openid everything'],
    'scope must be one of',
  ],
])('exit code %i for %j', async (code, args, words) => {
  const file = await fileOf()
  const ended = await run(...args, '--file', file)
  expect(ended.code).toBe(code)
  expect(ended.said).toContain(words)
})

const entry = (more: object = {}) => ({
  client_id: 'app',
  client_name: 'App',
  type: 'public',
  redirect_uris: ['https://app.example.com/'],
  ...more,
})
test.each([
  ['[\n  {\n    "client_id": "a"\n  }\n]', 'line 2: client_name is needed'],
  [JSON.stringify([entry({ logo: 1 })], undefined, 1), 'line 9: logo is no member of a client'],
  [JSON.stringify([entry(), entry()], undefined, 1), 'line 11: client_id app is taken'],
  [JSON.stringify([entry({ secret_sha256: '0'.repeat(64) })]), 'line 1: secret_sha256 is of no use'],
  [JSON.stringify([entry({ networks: ['10.0.0.0/99'] })]), 'line 1: networks must list addresses or networks such as'],
  [JSON.stringify([entry({ networks: [] })]), 'line 1: networks must list addresses or networks such as'],
  [JSON.stringify([entry({ type: 'confidential' })]), 'line 1: secret_sha256 is needed'],
  [JSON.stringify([entry({ redirect_uris: ['javascript:alert(1)'] })]), 'line 1: redirect_uris must list addresses'],
  [
    JSON.stringify([entry({ redirect_uris: ['com.example.app:/in', 'https://localhost/'] })]),
    'line 1: redirect_uris must not have https on this machine beside addresses of a program',
  ],
  [JSON.stringify([entry({ redirect_uris: [] })]), 'line 1: redirect_uris is needed'],
  [
    JSON.stringify([entry({ backchannel_logout_uri: 'http://app.example.com/out' })]),
    'line 1: backchannel_logout_uri must be an address with https',
  ],
  [
    JSON.stringify([entry({ backchannel_logout_uri: 'https://app.example.com/out#f' })]),
    'line 1: backchannel_logout_uri must be an address with https',
  ],
  [JSON.stringify([entry({ backchannel_logout_session_required: 1 })]), 'must be true or false'],
  [
    JSON.stringify([entry({ secret_sha256: createHash('sha256').update('').digest('hex') })]),
    'line 1: secret_sha256 is the SHA-256 of an empty text: hash the secret itself',
  ],
  [
    JSON.stringify([entry({ post_logout_redirect_uris: ['com.example.app:/out'] })]),
    'line 1: post_logout_redirect_uris must have https',
  ],
  [
    JSON.stringify([
      entry({ redirect_uris: ['com.example.app:/in'], post_logout_redirect_uris: ['https://localhost/'] }),
    ]),
    'line 1: post_logout_redirect_uris must not have https on this machine',
  ],
  [JSON.stringify([entry({ scope: 'profile' })]), 'line 1: scope must have openid'],
  [JSON.stringify([entry({ grant_types: [DEVICE] })]), 'line 1: redirect_uris is of no use'],
  [
    JSON.stringify([entry({ grant_types: ['refresh_token'], redirect_uris: [] })]),
    'line 1: grant_types must have a way to log in',
  ],
  [JSON.stringify([entry({ client_id_issued_at: 'now' })]), 'line 1: client_id_issued_at must be the seconds'],
  [
    JSON.stringify([entry({ verify: 'passkey' })], undefined, 1),
    'line 9: verify cannot be passkey yet, which comes in a later version: it must be one of tap, number',
  ],
  [JSON.stringify([entry({ verify: 'vault' })]), 'line 1: verify must be one of tap, number, network'],
  ['[\n{,}]', 'line 2: it is not JSON'],
  ['{}', 'line 1: it must be a JSON list of clients'],
  ['[1]', 'line 1: a client must be an object'],
])('of %j nodes say: %s', (text, problem) => {
  const { clients, problems } = parseClients(text)
  expect(problems).toEqual([expect.stringContaining(problem)])
  expect(clients.size).toBe(0)
})

test('a problem has the line of its object, also behind something that is none', () => {
  expect(parseClients(`[1,\n${JSON.stringify(entry({ logo: 1 }))}]`).problems).toEqual([
    'line 1: a client must be an object',
    'line 2: logo is no member of a client',
  ])
})

test('the file is read again; with a mistake in it the applications of before stay', async () => {
  const text = JSON.stringify([entry()])
  const file = await fileOf(text)
  const told: string[][] = []
  const list = createClientList({ text, file }, (problems) => told.push([...problems]), 10)
  onCleanup(async () => list.close())
  /** In one step: a file that is written in place has half of its text for a moment. */
  const replace = async (changed: string) => {
    await writeFile(`${file}.new`, changed)
    await rename(`${file}.new`, file)
  }
  expect([list.find('app')?.name, list.hasOrigin('https://app.example.com')]).toEqual(['App', true])
  await replace(JSON.stringify([entry({ client_name: 'New name' })]))
  await until(
    async () => list.find('app')?.name,
    (name) => name === 'New name',
  )
  for (const [wrong, problem] of [
    [JSON.stringify([entry({ type: 'secret' })]), 'line 1: type must be one of public, confidential'],
    ['', 'it is empty; [] stands for no applications'],
  ] as const) {
    await replace(wrong)
    await until(
      async () => told.at(-1),
      (problems) => problems?.[0] === problem,
    )
    expect(list.find('app')?.name).toBe('New name')
  }
  expect(told).toHaveLength(2)
  await replace('[]')
  await until(
    async () => list.find('app'),
    (client) => client === undefined,
  )
  expect(list.hasOrigin('https://app.example.com')).toBe(false)
})
