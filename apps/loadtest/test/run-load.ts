import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { onCleanup, startProcess } from '@saoma/testing'
import type { Result } from '../src/load/result.ts'

const main = fileURLToPath(new URL('../src/load/main.ts', import.meta.url))

/** A folder for reports, removed at the end. */
export const reportFolder = async (): Promise<string> => {
  const folder = await mkdtemp(join(tmpdir(), 'saoma-load-'))
  onCleanup(() => rm(folder, { recursive: true }))
  return folder
}

export const readResult = async (file: string): Promise<Result> => JSON.parse(await readFile(file, 'utf8'))

/** `npm run load -- …`, to its end. */
export const runLoad = async (...args: readonly string[]): Promise<{ code: number | null; text: string }> => {
  const run = await startProcess({ name: 'npm run load', command: process.execPath, args: [main, ...args] })
  const { code } = await run.exited
  return { code, text: run.lines.map(({ text }) => text).join('\n') }
}
