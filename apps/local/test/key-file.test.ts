import { mkdtemp, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseEnv } from 'node:util'
import { onCleanup, startProcess } from '@saoma/testing'
import { writeEnvFile } from '../src/env-file.ts'
import { keepKeyFile } from '../src/key-file.ts'

const shop = `local ${'a'.repeat(64)} room:*,user:*`
const mine = `mine ${'b'.repeat(64)} room:*`

const place = async (): Promise<string> => {
  const folder = await mkdtemp(join(tmpdir(), 'saoma-local-'))
  onCleanup(() => rm(folder, { recursive: true }))
  return join(folder, 'file')
}
const linesOf = async (file: string): Promise<string[]> =>
  (await readFile(file, 'utf8')).split('\n').filter((line) => line && !line.startsWith('#'))

test('the shop’s key is in a new file, for its owner alone', async () => {
  const file = await place()
  await keepKeyFile(file, shop)
  expect(await linesOf(file)).toEqual([shop])
  expect(await readFile(file, 'utf8')).toMatch(/^# .*\n(.*\n)+$/)
  expect((await stat(file)).mode & 0o777).toBe(0o600)
})

test('the user’s lines and comments stay over restarts, byte for byte', async () => {
  const file = await place()
  await keepKeyFile(file, shop)
  const text = `${await readFile(file, 'utf8')}# for the billing service\n${mine}  # made in May\n`
  await writeFile(file, text)
  await keepKeyFile(file, shop)
  expect(await readFile(file, 'utf8')).toBe(text)
})

test('a former key of the shop is replaced, and a revoked one comes back', async () => {
  const file = await place()
  await keepKeyFile(file, shop.replace('a'.repeat(64), 'c'.repeat(64)))
  await writeFile(file, `${await readFile(file, 'utf8')}${mine}\n`)
  await keepKeyFile(file, shop)
  expect(await linesOf(file)).toEqual([shop, mine])
  await writeFile(file, `${mine}\n`)
  await keepKeyFile(file, shop)
  expect(await linesOf(file)).toEqual([shop, mine])
})

test('a change by saoma key and the line of the shop wait for each other', async () => {
  const file = await place()
  await writeFile(file, '')
  // What `saoma key` does: the new file is the lock.
  await writeFile(`${file}.lock`, `${mine}\n`, { flag: 'wx' })
  const keeping = keepKeyFile(file, shop)
  // A command has read the file before, and gives its text the name now.
  await readFile(file)
  await rename(`${file}.lock`, file)
  await keeping
  expect(await linesOf(file)).toEqual([shop, mine])
  expect((await readdir(dirname(file))).sort()).toEqual(['file'])
})

test('keys that are made while a cluster starts are not lost, and neither is the shop’s', async () => {
  const file = await place()
  const command = fileURLToPath(new URL('../../gateway/src/bin/key.ts', import.meta.url))
  const names = ['one', 'two', 'three', 'four']
  let isOver = false
  const made = Promise.all(
    names.map(async (name) => {
      const args = [command, 'create', name, 'room:*', '--file', file]
      const { exited } = await startProcess({ name, command: process.execPath, args })
      return (await exited).code
    }),
  ).finally(() => {
    isOver = true
  })
  // Each start has a key of its own, so each changes the file.
  let last = shop
  for (let i = 0; !isOver; i += 1) {
    last = shop.replace(/a{64}/, `${i}`.padStart(64, '0'))
    await keepKeyFile(file, last)
  }
  expect(await made).toEqual([0, 0, 0, 0])
  const lines = await linesOf(file)
  expect(lines.filter((line) => line === last)).toEqual([last])
  expect(lines.map((line) => line.split(' ')[0]).sort()).toEqual([...names, 'local'].sort())
})

test('a lock that a killed command left is named', async () => {
  const file = await place()
  await writeFile(`${file}.lock`, '')
  await expect(keepKeyFile(file, shop)).rejects.toThrow(`${file}.lock is there: a command changes the keys`)
  // Nothing is to be changed, so nobody has to wait.
  await writeFile(file, `${shop}\n`)
  await keepKeyFile(file, shop)
})

test('settings are read by Node as they were given', async () => {
  const file = await place()
  const settings = {
    PLAIN: 'x',
    EMPTY: '',
    RULES: '[{"match":"room:it’s-*","keep":{"messages":1}}]',
    LINES: `${shop}\n${mine}`,
    SIGNS: 'a # b = c \\n $HOME',
    QUOTED: `it's "so"`,
    TICKS: 'it`s "so"',
  }
  await writeEnvFile(file, settings)
  expect(parseEnv(await readFile(file, 'utf8'))).toEqual(settings)
  expect((await stat(file)).mode & 0o777).toBe(0o600)
})
