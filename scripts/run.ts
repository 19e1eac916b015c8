import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'

export const root: string = fileURLToPath(new URL('..', import.meta.url))

/** The path of a program in an npm package, so that it can run with the current Node. */
export const tool = (file: string): string => fileURLToPath(new URL(`../node_modules/${file}`, import.meta.url))

/**
 * Runs a Node program in the project's folder, with its output on the terminal. Resolves with its exit code,
 * or with 1 if a signal ended it.
 */
export const runNode = async (args: readonly string[], env: NodeJS.ProcessEnv = process.env): Promise<number> => {
  const child = spawn(process.execPath, args, { cwd: root, env, stdio: 'inherit' })
  const [code] = await once(child, 'exit')
  return code ?? 1
}
