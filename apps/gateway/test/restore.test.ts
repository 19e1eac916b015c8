import { execFile } from 'node:child_process'
import { copyFile, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import {
  type Line,
  onCleanup,
  plainEnv,
  type RedisServer,
  refresh,
  requireProgram,
  startGateway,
  startRedis,
  webToken,
} from '@saoma/testing'
import { openOperator } from './fixtures.ts'

const origin = 'http://127.0.0.1'
const SECRET = 'a secret of a test that nobody keeps'
const restoreScript = fileURLToPath(new URL('../../../redis/restore.sh', import.meta.url))
const storeCommand = fileURLToPath(new URL('../src/bin/store.ts', import.meta.url))

const newFolder = async (): Promise<string> => {
  const folder = await mkdtemp(join(tmpdir(), 'saoma-restore-'))
  onCleanup(() => rm(folder, { recursive: true, force: true }))
  return folder
}

/** What a command printed, and how it ended. */
const run = (command: string, args: readonly string[], env: Record<string, string> = {}) =>
  promisify(execFile)(command, args, { env: { ...plainEnv(), ...env }, encoding: 'buffer', timeout: 60_000 }).then(
    ({ stdout, stderr }) => ({ code: 0, stdout, said: `${stdout}${stderr}` }),
    ({ code, stdout, stderr }) => ({ code, stdout, said: `${stdout}${stderr}` }),
  )

/** As docs/operate.md says: `redis-cli --rdb - > dump.rdb`. */
const backUp = async (redis: RedisServer): Promise<string> => {
  const client = requireProgram('redis').replace(/server$/, 'cli')
  const { code, stdout } = await run(client, ['-u', redis.url, '--rdb', '-'])
  expect(code).toBe(0)
  const file = join(await newFolder(), 'dump.rdb')
  await writeFile(file, stdout)
  return file
}

const check = (redisUrl: string) =>
  run(process.execPath, [storeCommand, 'check'], {
    REDIS_URL: redisUrl,
    SAOMA_ORIGIN: origin,
    SAOMA_SECRET: SECRET,
    SAOMA_DEMO: 'true',
  })

test('store.ts says how it is called where it is', async () => {
  const { code, said } = await run(process.execPath, [storeCommand, '--help'])
  const [, place = ''] = /^Usage: node (\S+) check\n$/.exec(said) ?? []
  expect([code, resolve(place)]).toEqual([0, storeCommand])
})

const start = (redis: RedisServer, env: Record<string, string> = {}, onLine: (line: Line) => void = () => {}) =>
  startGateway({ redisUrl: redis.url, nodeId: 'a', origin, env: { SAOMA_SECRET: SECRET, ...env }, onLine })

const REFUSE = { SAOMA_EMPTY_REDIS: 'refuse' }
/** Ten processes that start one after the other. */
const TEST_MS = 180_000

test(
  'a backup restored as documented logs people in, and one just copied is noticed',
  async () => {
    const redis = await startRedis({ appendonly: true })
    const node = await start(redis)
    const [alice, bob] = await Promise.all(['alice', 'bob'].map((name) => webToken(node.origin, name)))
    if (!alice || !bob) throw new Error('nobody is logged in')
    const backup = await backUp(redis)
    // After the backup one refreshes, and somebody comes.
    const renewed = (await refresh(node.origin, bob.refresh_token)).body
    await webToken(node.origin, 'carl')
    await node.stop()
    await redis.stop()

    const obvious = await newFolder()
    await copyFile(backup, join(obvious, 'dump.rdb'))
    const empty = await startRedis({ dir: obvious, appendonly: true })
    expect(await check(empty.url)).toMatchObject({ code: 1, said: expect.stringContaining('It is empty') })
    await expect(start(empty, REFUSE)).rejects.toThrow(
      /ended \(exit code 1\):\n(.*\n)*.*SAOMA_EMPTY_REDIS is refuse, and Redis has nothing of this cluster .*: restore its backup/,
    )
    const lines: Line[] = []
    const anew = await start(empty, {}, (line) => lines.push(line))
    expect(lines.filter(({ json }) => json?.event === 'empty').map(({ json }) => json?.level)).toEqual(['warn'])
    expect((await webToken(anew.origin, 'alice')).user).not.toBe(alice.user)
    await anew.stop()
    await empty.stop()

    // What is in the folder now is that cluster that began anew: it is put aside.
    const said = await run('sh', [restoreScript, backup, obvious])
    expect(said).toMatchObject({ code: 0, said: expect.stringMatching(/^\d+ keys are restored\. What was in /) })
    const [aside = ''] = (await readdir(obvious)).filter((name) => name.startsWith('before-restore-'))
    expect(await readdir(join(obvious, aside))).toEqual(expect.arrayContaining(['appendonlydir', 'dump.rdb']))
    const restored = await startRedis({ dir: obvious, appendonly: true })
    expect(await check(restored.url)).toMatchObject({
      code: 0,
      said: expect.stringMatching(
        /accounts {6}2\nlogins {8}2 of 2 people, the newest began 20.*Z\nNodes may start on it\./,
      ),
    })
    const again = await start(restored, REFUSE)
    expect((await refresh(again.origin, alice.refresh_token)).status).toBe(200)
    expect((await webToken(again.origin, 'alice')).user).toBe(alice.user)
    // Whoever refreshed since the backup logs in again, as the same person.
    expect(await refresh(again.origin, renewed.refresh_token)).toMatchObject({
      status: 400,
      body: { error: 'invalid_grant' },
    })
    expect((await webToken(again.origin, 'bob')).user).toBe(bob.user)
  },
  TEST_MS,
)

test(
  'a file that is no backup, or half of one, changes nothing',
  async () => {
    const data = await newFolder()
    const redis = await startRedis({ dir: data, appendonly: true })
    const writer = await openOperator(redis.url)
    for (let i = 0; i < 100; i++) await writer.set(`key-${i}`, 'value')
    const backup = await backUp(redis)
    await redis.stop()
    const whole = await readFile(backup)
    const half = `${backup}.half`
    await writeFile(half, whole.subarray(0, whole.length / 2))
    for (const [file, reason] of [
      [half, 'is damaged'],
      [restoreScript, 'is no backup of Redis'],
      [join(data, 'none.rdb'), 'cannot be read'],
    ] as const)
      expect(await run('sh', [restoreScript, file, data])).toMatchObject({
        code: 1,
        said: expect.stringContaining(reason),
      })
    expect(await readdir(data)).toEqual(['appendonlydir'])
    // Without the program that looks before: Redis itself reads it, and the folder is as it was.
    const bin = await newFolder()
    for (const name of ['server', 'cli']) {
      const program = requireProgram('redis').replace(/server$/, name)
      await writeFile(join(bin, `redis-${name}`), `#!/bin/sh\nexec ${program} "$@"\n`, { mode: 0o755 })
    }
    const tools = ['sh', 'head', 'mkdir', 'mktemp', 'date', 'mv', 'cp', 'rm', 'rmdir', 'sleep', 'cat', 'tr', 'sed']
    for (const tool of tools)
      await writeFile(join(bin, tool), `#!/bin/sh\nexec /usr/bin/env PATH=/usr/bin:/bin ${tool} "$@"\n`, {
        mode: 0o755,
      })
    const failed = await run('/bin/sh', [restoreScript, half, data], { PATH: bin })
    expect(failed).toMatchObject({ code: 1, said: expect.stringContaining('Redis ended while it read the backup') })
    expect(failed.said).toContain('nothing was changed')
    expect(await readdir(data)).toEqual(['appendonlydir'])
    const again = await startRedis({ dir: data, port: redis.port, appendonly: true })
    const reader = await openOperator(again.url)
    expect(await reader.get('key-99')).toBe('value')
  },
  TEST_MS,
)
