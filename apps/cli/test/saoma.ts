import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { onCleanup, plainEnv, startProcess } from '@saoma/testing'

export const root = fileURLToPath(new URL('../../..', import.meta.url))
export const main = join(root, 'apps/cli/src/main.ts')

export const newFolder = async (): Promise<string> => {
  const folder = await mkdtemp(join(tmpdir(), 'saoma-cli-'))
  onCleanup(() => rm(folder, { recursive: true, force: true }))
  return folder
}

export interface Ran {
  code: number | null
  /** Standard output and error together. */
  text: string
}

/** A program and what it printed; its folder is empty unless `cwd` says otherwise. */
export const runProgram = async (
  command: string,
  args: readonly string[],
  { cwd, env = {} }: { cwd?: string; env?: Record<string, string | undefined> } = {},
): Promise<Ran> => {
  const { exited, lines } = await startProcess({
    name: [command, ...args].join(' '),
    command,
    args,
    env: { ...plainEnv(), ...env },
    cwd: cwd ?? (await newFolder()),
  })
  const { code } = await exited
  return { code, text: lines.map(({ text }) => text).join('\n') }
}

/** Where a shell finds this Node. */
const PATH = `${dirname(process.execPath)}${delimiter}${process.env.PATH}`

/** What `saoma …` prints, run as a shell runs it. */
export const saoma = (
  args: readonly string[],
  { env = {}, ...options }: Parameters<typeof runProgram>[2] = {},
): Promise<Ran> => runProgram(main, args, { ...options, env: { PATH, ...env } })
