import { extname } from 'node:path'
import { fileURLToPath } from 'node:url'

/** `.ts` in the repository, `.js` in the package, which has the same folders. */
const extension = extname(fileURLToPath(import.meta.url))

/**
 * Becomes another program of this project. The process stays the same, so signals, exit code and terminal are
 * those of the program, and whoever supervises it sees one process (D99).
 *
 * @param program  path below the root without extension: `apps/gateway/src/main`
 * @param args  passed on as they are
 * @param flags  for Node itself, after those that this process was started with
 */
export const become = (program: string, args: readonly string[], flags: readonly string[] = []): never => {
  const file = fileURLToPath(new URL(`../../../${program}${extension}`, import.meta.url))
  if (!process.execve) throw new Error('This system cannot replace a process by another.')
  // Node looks for its own options, such as --env-file, behind the name of the program too, unless `--` is
  // before it.
  return process.execve(process.execPath, [process.execPath, ...process.execArgv, ...flags, '--', file, ...args])
}
