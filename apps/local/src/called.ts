import { fileURLToPath } from 'node:url'

/*
 * How a person calls these programs. In the repository that is by npm scripts. The package `saoma` has the
 * same programs as JavaScript, and a command for each.
 */

const file = fileURLToPath(import.meta.url)

/** Whether this is the package. It has no sources, so nothing can be built from them or watched. */
export const isPacked: boolean = file.endsWith('.js')

/** The command that starts a cluster with these options: `npm start -- --lan`. */
export const started = (options = ''): string => {
  const [command, separator] = isPacked ? ['saoma start', ' '] : ['npm start', ' -- ']
  return options ? `${command}${separator}${options}` : command
}

/** The command `saoma` with these words. */
export const called = (words: string): string => (isPacked ? `saoma ${words}` : `npm run saoma -- ${words}`)
