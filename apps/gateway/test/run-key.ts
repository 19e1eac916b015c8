import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { onCleanup, plainEnv, startProcess } from '@saoma/testing'
import { createApiKeys, parseApiKeys } from '../src/access/api-keys.ts'

/* The command `saoma key`, as a process. */

export const script = fileURLToPath(new URL('../src/bin/key.ts', import.meta.url))
export const lineOf = (name: string): string => `${name} ${'0'.repeat(64)} room:*`

export const newFolder = async (): Promise<string> => {
  const folder = await mkdtemp(join(tmpdir(), 'saoma-key-'))
  onCleanup(() => rm(folder, { recursive: true }))
  return folder
}
/** A file of keys in a folder of its own. */
export const fileOf = async (text?: string): Promise<string> => {
  const file = join(await newFolder(), 'api-keys')
  if (text !== undefined) await writeFile(file, text)
  return file
}

interface Place {
  cwd?: string
  env?: Record<string, string>
}
export const key = async (args: readonly string[], { cwd, env = {} }: Place = {}) => {
  const { exited, lines } = await startProcess({
    name: `key ${args.join(' ')}`,
    command: process.execPath,
    // Node would look for --env-file behind the script too.
    args: ['--', script, ...args],
    env: { ...plainEnv(), ...env },
    cwd: cwd ?? (await newFolder()),
  })
  const { code } = await exited
  return { code, said: lines.map(({ text }) => text) }
}
/** The same, with an output that is given to it. */
export const keyInto = async (output: string, args: readonly string[]) => {
  const words = [process.execPath, '--', script, ...args].map((word) => `'${word}'`).join(' ')
  const { exited, lines } = await startProcess({
    name: `key ${output}`,
    command: '/bin/sh',
    args: ['-c', `${words} ${output}`],
    cwd: await newFolder(),
  })
  const { code } = await exited
  return { code, said: lines.map(({ text }) => text) }
}
export const keyIn = (said: readonly string[]): string =>
  /saoma_[A-Za-z0-9-]+_[A-Za-z0-9_-]{43}/.exec(said.join('\n'))?.[0] ?? ''
export const holderOf = (text: string, secret: string) => createApiKeys({ text }, { onProblem: () => {} }).find(secret)
export const namesIn = (text: string): string[] => [...parseApiKeys(text).entries.keys()]
