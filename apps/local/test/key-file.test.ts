import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseEnv } from 'node:util'
import { onCleanup } from '@saoma/testing'
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
