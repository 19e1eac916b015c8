import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { createAccounts, openAccountKeys } from '@saoma/accounts'
import { createAudit } from '@saoma/audit'
import { createRedis } from '@saoma/redis'
import { documented, onCleanup, plainEnv, startProcess, startRedis } from '@saoma/testing'
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
  [['export'], 'There is no command "export".'],
  [['import'], 'import needs the name of a file, or - for standard input.'],
  [['import', 'a', 'b'], 'import needs one file, but there is "b" too.'],
  [['import', 'a', '--after', 'x'], '--after needs the number of a line.'],
  [['import', 'a', '--all'], 'import has no option --all.'],
  [['import', 'a', '--env-file'], '--env-file needs the name of a file.'],
])('%j is wrong', (args, reason) => {
  expect(readAccountsCommand(args)).toEqual({ kind: 'wrong', reason })
})
