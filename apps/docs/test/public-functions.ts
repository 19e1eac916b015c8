import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { entryPoints } from '../src/reference.ts'
import { root } from '../src/repository.ts'

const EXPORTS = /export\s*\{([^}]*)\}(?:\s*from\s*'([^']+)')?/g
const OWN = /^export (?:async )?(?:const (\w+) = (?:async )?(?:<[\s\S]*?>)?\(|function (\w+))/gm

/** The values that an index exports, without its types. */
const namesOf = (clause: string): string[] =>
  clause
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '' && !name.startsWith('type '))
    .map((name) => name.split(' as ').at(-1) ?? name)

/** Whether a file declares the name as a function. */
const isFunction = (file: string, name: string): boolean =>
  new RegExp(`export (?:async )?(?:const ${name}\\b[^=]*= (?:async )?(?:<[\\s\\S]*?>)?\\(|function ${name}\\b)`).test(
    readFileSync(file, 'utf8'),
  )

/**
 * The functions that each entry point exports, read from the sources without TypeDoc, so that a test can
 * compare.
 */
export const publicFunctions = (): Record<string, string[]> =>
  Object.fromEntries(
    Object.entries(entryPoints).map(([entry, path]) => {
      const text = readFileSync(join(root, path), 'utf8')
      const passedOn = [...text.matchAll(EXPORTS)].flatMap(([whole, clause = '', from]) => {
        if (!from || whole.startsWith('export type')) return []
        return namesOf(clause).filter((name) => isFunction(join(root, dirname(path), from), name))
      })
      return [entry, [...passedOn, ...[...text.matchAll(OWN)].map(([, a, b]) => a ?? b ?? '')]]
    }),
  )
