import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'

export const root: string = fileURLToPath(new URL('..', import.meta.url))

/**
 * A program among the npm packages, by the file of its package, so that it runs on the Node that runs this.
 */
export const tool = (file: string): string => fileURLToPath(new URL(`../node_modules/${file}`, import.meta.url))

/**
 * Runs a Node program in the project's folder, in front of the person's eyes. Resolves with its exit code, 1
 * for a signal.
 */
export const runNode = async (args: readonly string[], env: NodeJS.ProcessEnv = process.env): Promise<number> => {
  const child = spawn(process.execPath, args, { cwd: root, env, stdio: 'inherit' })
  const [code] = await once(child, 'exit')
  return code ?? 1
}
