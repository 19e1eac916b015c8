import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { onCleanup } from '../cleanup.ts'

const root = fileURLToPath(new URL('../../../../', import.meta.url))
const TIMEOUT_MS = 60_000

/**
 * Checks these files with the repository's compiler and settings, against the sources of our packages.
 * Resolves with the compiler's complaints, one a line; empty if there are none.
 *
 * @param folder  of the package that the files use: they find what it finds
 * @param files   text by name
 */
export const checkTypes = async (folder: string, files: Readonly<Record<string, string>>): Promise<string> => {
  await mkdir(join(folder, 'dist'), { recursive: true })
  const place = await mkdtemp(join(folder, 'dist', 'types-'))
  onCleanup(() => rm(place, { recursive: true, force: true }))
  for (const [name, text] of Object.entries(files)) await writeFile(join(place, name), text)
  const settings = {
    extends: join(root, 'tsconfig.json'),
    compilerOptions: { types: ['node'], jsx: 'react-jsx', moduleDetection: 'force', noUnusedParameters: false },
    include: ['./*'],
    exclude: [],
  }
  await writeFile(join(place, 'tsconfig.json'), JSON.stringify(settings))
  const compiler = join(root, 'node_modules/typescript/bin/tsc')
  return promisify(execFile)(process.execPath, [compiler, '-p', place], { cwd: place, timeout: TIMEOUT_MS }).then(
    () => '',
    (error: Error & { stdout?: string }) => error.stdout || String(error),
  )
}
