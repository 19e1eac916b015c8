import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { onCleanup, startProcess } from '@saoma/testing'

/** Runs a script of `npm run check` on a folder with these files. Resolves with its lines. */
export const runCheck = async (script: string, files: Readonly<Record<string, string>>): Promise<string[]> => {
  const root = await mkdtemp(join(tmpdir(), 'saoma-check-'))
  onCleanup(() => rm(root, { recursive: true }))
  for (const [file, text] of Object.entries(files)) {
    await mkdir(dirname(join(root, file)), { recursive: true })
    await writeFile(join(root, file), text)
  }
  const path = fileURLToPath(new URL(`../../../scripts/${script}`, import.meta.url))
  const run = await startProcess({ name: script, command: process.execPath, args: [path, '--root', root] })
  const { code } = await run.exited
  const lines = run.lines.map(({ text }) => text)
  // A script that fails without a reason, or finds something and passes, is no check.
  expect(code).toBe(lines.length === 1 && / is there\.$|of the English\.$/.test(lines[0] ?? '') ? 0 : 1)
  return lines
}
