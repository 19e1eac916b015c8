import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { onCleanup } from '../cleanup.ts'
import { plainEnv, startProcess } from '../process.ts'
import { type Example, runnable } from './example.ts'
import type { Transcript } from './transcript.ts'

const runner = fileURLToPath(new URL('node-runner.ts', import.meta.url))

/**
 * Runs examples as modules of Node, one after the other, in one process of their own. Resolves when that has
 * ended by itself. Rejects with its output if it failed, or if it said what no example prints.
 *
 * @param folder  of the package that the examples use: they find what it finds
 */
export const runInNode = async (
  examples: readonly Example[],
  options: { folder: string; origin: string; env: Record<string, string>; transcript: Transcript },
): Promise<void> => {
  const { folder, origin, env, transcript } = options
  await mkdir(join(folder, 'dist'), { recursive: true })
  const place = await mkdtemp(join(folder, 'dist', 'node-'))
  onCleanup(() => rm(place, { recursive: true, force: true }))
  const files = examples.map((example) => ({
    path: join(place, `${example.title}.ts`),
    text: runnable(example, origin),
  }))
  for (const { path, text } of files) await writeFile(path, text)
  const { exited, lines } = await startProcess({
    name: 'examples',
    command: process.execPath,
    args: ['--disable-warning=ExperimentalWarning', runner, ...files.map(({ path }) => path)],
    env: { ...plainEnv(), ...env },
  })
  const { code } = await exited
  const strange: string[] = []
  for (const { text, json } of lines) {
    const { title, line, values } = (json ?? {}) as { title?: string; line?: number; values?: string }
    if (title === undefined || line === undefined || values === undefined) strange.push(text)
    else transcript.take(title, line, values)
  }
  if (code !== 0 || strange.length > 0) throw new Error(`examples ended with ${code}:\n${strange.join('\n')}`)
}
