import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { createAccounts, openAccountKeys } from '@saoma/accounts'
import { createAudit } from '@saoma/audit'
import { createRedis } from '@saoma/redis'
import {
  attemptPhoneToken,
  connectLive,
  documented,
  onCleanup,
  plainEnv,
  publish,
  refresh,
  startGateway,
  startProcess,
  startRedis,
  webToken,
} from '@saoma/testing'
import { readAccountsCommand } from '../src/bin/read-accounts-command.ts'

const script = fileURLToPath(new URL('../src/bin/accounts.ts', import.meta.url))
const secret = 'x'.repeat(32)
const server = await startRedis()
const folder = mkdtempSync(join(tmpdir(), 'saoma-accounts-'))
onCleanup(async () => rmSync(folder, { recursive: true }))

const settings = {
  SAOMA_ORIGIN: 'http://127.0.0.1:8080',
  SAOMA_SECRET: secret,
  WECHAT_APPID: 'wx1',
  WECHAT_SECRET: 'y'.repeat(32),
  REDIS_URL: server.url,
}
const run = async (args: string[], env: Record<string, string> = {}) => {
  const process_ = await startProcess({
    name: `accounts ${args[0]}`,
    command: process.execPath,
    args: [script, ...args],
    env: { ...plainEnv(), ...settings, ...env },
  })
  const { code } = await process_.exited
  // Progress is said once in a second.
  const isProgress = (text: string) => / bad$/.test(text)
  return { code, lines: process_.lines.map(({ text }) => text).filter((text) => !isProgress(text)) }
}
const fileOf = (name: string, lines: readonly string[]): string => {
  const file = join(folder, name)
  writeFileSync(file, lines.join('\n'))
  return file
}
const lineOf = (i: number) => JSON.stringify({ id: `oPerson${i}`, sub: `u-${i}` })

test('people are imported before the first node starts, and once more without harm', async () => {
  const file = fileOf(
    'people.jsonl',
    Array.from({ length: 1_500 }, (_, i) => lineOf(i)),
  )
  expect(await run(['import', file])).toEqual({
    code: 0,
    lines: ['1,500 lines: 1,500 new, 0 added to an account, 0 known, 0 bad.'],
  })
  expect(await run(['import', file])).toEqual({
    code: 0,
    lines: ['1,500 lines: 0 new, 0 added to an account, 1,500 known, 0 bad.'],
  })
  expect(await run(['import', file, '--after', '1400'])).toMatchObject({
    lines: ['1,500 lines: 0 new, 0 added to an account, 100 known, 0 bad.'],
  })
  const redis = await createRedis({ url: server.url, probeMs: 0 })
  const keys = await openAccountKeys(redis, { secrets: [secret] })
  onCleanup(async () => {
    keys.close()
    await redis.close()
  })
  const identity = { provider: 'wechat', app: 'wx1', id: 'oPerson17' } as const
  expect(await createAccounts(redis, keys).of(identity)).toEqual({ allow: true, sub: 'u-17' })

  // One entry for all, and none for an import that changed nothing.
  const audit = createAudit(redis, { node: 'x', secrets: [secret], entries: 1_000, keepMs: 3_600_000 })
  onCleanup(() => audit.close())
  const page = await audit.read({})
  expect(page).toMatchObject({
    value: { entries: [{ kind: 'admin.acted', by: 'operator', reason: 'accounts.import', count: 1_500 }] },
  })
})

test('each bad line is named, and the exit code says that there were some', async () => {
  const file = fileOf('bad.jsonl', [lineOf(9_000), '{}', 'nonsense', lineOf(9_001)])
  const { code, lines } = await run(['import', file])
  expect(code).toBe(1)
  expect(lines).toEqual(
    expect.arrayContaining([
      expect.stringMatching(/^line 2: id does not fit/),
      'line 3: it is not JSON',
      '4 lines: 2 new, 0 added to an account, 0 known, 2 bad.',
    ]),
  )
})

test('an import that is killed in the middle is repeated, and one that is interrupted says how it goes on', async () => {
  const [people, marker] = [10_000, 700]
  const file = fileOf(
    'many.jsonl',
    Array.from({ length: people }, (_, i) => (i + 1 === marker ? 'the marker' : lineOf(100_000 + i))),
  )
  const begin = () =>
    startProcess({
      name: 'accounts import',
      command: process.execPath,
      args: [script, 'import', file],
      env: { ...plainEnv(), ...settings },
      ready: ({ text }) => text === `line ${marker}: it is not JSON`,
    })
  await (await begin()).kill('SIGKILL')
  const interrupted = await begin()
  await interrupted.kill('SIGINT')
  const { code } = await interrupted.exited
  const said = interrupted.lines.map(({ text }) => text)
  const [, after = ''] = /^Go on with: saoma accounts import \S+ --after (\d+)$/.exec(said.at(-1) ?? '') ?? []
  expect([said, code]).toEqual([said, 130])
  expect(Number(after)).toBeGreaterThanOrEqual(marker)
  expect(Number(after)).toBeLessThan(people)

  expect(await run(['import', file, '--after', after])).toMatchObject({ code: 0 })
  const { lines } = await run(['import', file])
  expect(lines.at(-1)).toBe('10,000 lines: 0 new, 0 added to an account, 9,999 known, 1 bad.')
})

test('the line and the command of docs/login.md import a person', async () => {
  const [, , line, command] = documented('docs/login.md', 'Use the people you have')
  fileOf('people.jsonl', [line?.code.trim() ?? ''])
  fileOf(
    'node.env',
    Object.entries(settings).map(([name, value]) => `${name}=${value}`),
  )
  const [saoma, accounts, ...args] = command?.code.trim().split(' ') ?? []
  expect([saoma, accounts]).toEqual(['saoma', 'accounts'])
  const inFolder = args.map((word) => (/\.(jsonl|env)$/.test(word) ? join(folder, word) : word))
  expect(await run(inFolder)).toEqual({ code: 0, lines: ['1 lines: 1 new, 0 added to an account, 0 known, 0 bad.'] })
})

test.each<[what: string, args: string[], env: Record<string, string>, says: RegExp]>([
  ['a file that is not there', ['import', '/nowhere/people.jsonl'], {}, /ENOENT/],
  ['a wrong secret', ['import', script], { SAOMA_SECRET: 'z'.repeat(32) }, /SAOMA_SECRET does not open/],
  ['no Redis', ['import', script], { REDIS_URL: 'redis://127.0.0.1:1' }, /Redis/],
])('%s ends it with a sentence', async (_, args, env, says) => {
  const { code, lines } = await run(args, env)
  expect(code).toBe(1)
  expect(lines.join('\n')).toMatch(says)
})

test.each<[args: string[], reason: string]>([
  [[], 'Say what is to be done.'],
  [['erase'], 'There is no command "erase".'],
  [['import'], 'import needs the name of a file, or - for standard input.'],
  [['import', 'a', 'b'], 'import needs one file, but there is "b" too.'],
  [['import', 'a', '--after', 'x'], '--after needs the number of a line.'],
  [['import', 'a', '--all'], 'import has no option --all.'],
  [['import', 'a', '--env-file'], '--env-file needs the name of a file.'],
  [['import', 'a', '--yes'], 'import has no option --yes.'],
  [['show'], 'show needs the sub of a person.'],
  [['show', 'a', 'b'], 'show needs one sub, but there is "b" too.'],
  [['show', 'a b'], '"a b" is no sub.'],
  [['enable', 'a', '--reason', 'x'], 'enable has no option --reason.'],
  [['disable', 'a', '--reason', 'one\ntwo'], '--reason is a sentence of up to 200 characters, without line breaks.'],
  [['delete', 'a'], 'delete cannot be undone. If you mean it, add --yes.'],
])('%j is wrong', (args, reason) => {
  expect(readAccountsCommand(args)).toEqual({ kind: 'wrong', reason })
})

test('a sub that begins with a dash is a sub', () => {
  const sub = '-5x_AAAAAAAAAAAAAAAAAA'
  expect(readAccountsCommand(['delete', sub, '--yes'])).toMatchObject({ kind: 'delete', sub })
  expect(readAccountsCommand(['show', '-h'])).toEqual({ kind: 'help' })
})

test('an operator shows, exports, disables, enables and deletes a person, as the routes do', async () => {
  const [logins, channels] = [await startRedis(), await startRedis()]
  const apart = { REDIS_URL: logins.url, REDIS_CHANNELS_URL: channels.url }
  const nobody = await run(['show', 'somebody'], apart)
  expect(nobody).toEqual({ code: 1, lines: ['This Redis has no accounts. Is it the one of the nodes?'] })
  const node = await startGateway({
    redisUrl: logins.url,
    nodeId: 'a',
    origin: settings.SAOMA_ORIGIN,
    env: { REDIS_CHANNELS_URL: channels.url, SAOMA_SECRET: secret },
  })
  const tokens = await webToken(node.origin, 'olga')
  const { user: sub } = tokens
  await publish(node.origin, { channel: `user:${sub}`, event: 'bill', data: { total: 5 } })
  const json = async (...args: string[]) => {
    const { code, lines } = await run(args, apart)
    expect(code).toBe(0)
    return JSON.parse(lines.join('\n'))
  }
  const shown = { sub, state: 'active', claims: { name: 'olga' }, sessions: [{ client: 'web' }] }
  expect(await json('show', sub)).toMatchObject(shown)
  expect(await json('export', sub)).toMatchObject({
    ...{ sub, account: { state: 'active' }, sessions: [{ client: 'web' }] },
    messages: [{ channel: `user:${sub}`, event: 'bill', data: { total: 5 } }],
  })

  const live = connectLive(node.origin, { token: tokens.access_token })
  await live.next('connect')
  expect(await run(['disable', sub, '--reason', 'Ask at the desk.'], apart)).toEqual({
    code: 0,
    lines: [`${sub} is disabled. 1 session has ended.`],
  })
  expect(await live.next('ended')).toEqual({ code: 'REVOKED', reason: 'Ask at the desk.' })
  expect(await attemptPhoneToken(node.origin, 'demo:olga')).toMatchObject({ body: { code: 'ACCOUNT_DISABLED' } })
  expect((await run(['enable', sub], apart)).lines).toEqual([`${sub} is active. The person has to log in again.`])
  const again = await webToken(node.origin, 'olga')
  expect(again.user).toBe(sub)

  expect((await run(['delete', sub, '--yes'], apart)).lines).toEqual([`${sub} is deleted. 1 session has ended.`])
  expect((await refresh(node.origin, again.refresh_token)).status).toBe(400)
  expect(await json('show', sub)).toEqual({ sub, state: 'deleted', claims: {}, identities: [], sessions: [] })
  const redis = await createRedis({ url: channels.url, probeMs: 0 })
  onCleanup(() => redis.close())
  expect(await redis.data.exists(redis.keys.channelLog(`user:${sub}`))).toBe(0)
  expect(await run(['delete', 'nobody', '--yes'], apart)).toMatchObject({
    code: 0,
    lines: [expect.stringMatching(/^There was no account nobody/)],
  })
  expect(await run(['disable', 'nobody'], apart)).toEqual({ code: 1, lines: ['There is no account nobody.'] })
  const away = await run(['show', sub], { ...apart, REDIS_CHANNELS_URL: 'redis://127.0.0.1:1' })
  expect(away).toMatchObject({ code: 1, lines: [expect.stringMatching(/names 127\.0\.0\.1:1/)] })
})
