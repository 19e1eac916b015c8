import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { withoutComments } from '../comments.ts'
import type { Documented } from '../documented.ts'
import { docstringOf } from './docstring.ts'

/** A name that a published package exports, and what is written above its declaration. */
export interface PublicName {
  name: string
  /** The file that declares it, as an absolute path. */
  file: string
  /** Its docstring up to the first tag; empty without a docstring. */
  prose: string
  /** The blocks of code of its `@example`s, in order. */
  examples: Documented[]
}

/** What an entry of a package exports: what exists at run time, and types. */
export interface PublicNames {
  values: PublicName[]
  types: PublicName[]
}

const root = fileURLToPath(new URL('../../../../', import.meta.url))
const REEXPORT = /^export (type )?\{([^}]*)\} from '([^']+)'/gm
const STAR = /^export (?:type )?\* /m
const DECLARATION = /^export (?:abstract |async )*(?:const|function|class|interface|type) (\w+)/gm

/** Absolute path of the sources of `@saoma/client/wx` and the like. */
const sourceOf = (specifier: string): string => {
  const [, folder = '', path = ''] = /^@saoma\/([^/]+)(.*)$/.exec(specifier) ?? []
  const manifest = join(root, 'packages', folder, 'package.json')
  const { exports } = JSON.parse(readFileSync(manifest, 'utf8')) as { exports: Record<string, string> }
  const entry = exports[`.${path}`]
  if (entry === undefined) throw new Error(`${specifier} is no entry of a package of ours`)
  return join(dirname(manifest), entry)
}

const targetOf = (file: string, specifier: string): string =>
  specifier.startsWith('.') ? join(dirname(file), specifier) : sourceOf(specifier)

interface Reexport {
  /** In the file that it comes from. */
  name: string
  as: string
  isType: boolean
  from: string
}

const reexportsOf = (file: string, source: string): Reexport[] =>
  [...source.matchAll(REEXPORT)].flatMap(([, allTypes, names = '', specifier = '']) =>
    names
      .split(',')
      .map((one) => one.trim())
      .filter((one) => one !== '')
      .map((one) => {
        const [, isType, name = '', as = name] = /^(type )?(\w+)(?: as (\w+))?$/.exec(one) ?? []
        return { name, as, isType: Boolean(allTypes ?? isType), from: targetOf(file, specifier) }
      }),
  )

const declaredIn = (source: string): string[] => [...source.matchAll(DECLARATION)].map(([, name = '']) => name)

/** Follows re-exports to the declaration. */
const find = (file: string, name: string): PublicName => {
  const source = readFileSync(file, 'utf8')
  const docstring = docstringOf(source, name)
  if (docstring) return { name, file, ...docstring }
  const reexport = reexportsOf(file, source).find(({ as }) => as === name)
  if (!reexport) throw new Error(`${file} does not export ${name}`)
  return find(reexport.from, reexport.name)
}

/**
 * The exports of an entry of a package of ours, with their docstrings, from its sources.
 *
 * @param entry  as people import it: `@saoma/client/wx`
 */
export const publicNames = (entry: string): PublicNames => {
  const file = sourceOf(entry)
  const source = readFileSync(file, 'utf8')
  if (STAR.test(source)) throw new Error(`${file} exports names that it does not list`)
  const reexports = reexportsOf(file, source)
  const isTypeHere = (name: string) => new RegExp(`^export (?:interface|type) ${name}\\b`, 'm').test(source)
  const own = declaredIn(source).map((name) => ({ as: name, isType: isTypeHere(name) }))
  const all = [...own, ...reexports]
  const named = (areTypes: boolean) =>
    all.filter(({ isType }) => isType === areTypes).map(({ as }) => ({ ...find(file, as), name: as }))
  return { values: named(false), types: named(true) }
}

const METHOD = /^ {2}(?:async )?(\w+)\??(?:<.*?>)?\(/gm

/**
 * The methods that an interface or class declares, without those that it inherits; empty for anything else.
 * Throws if it has no body that this can read.
 */
export const methodsOf = ({ file, name }: PublicName): string[] => {
  const source = withoutComments(readFileSync(file, 'utf8'))
  if (!new RegExp(`^export (?:abstract )?(?:interface|class) ${name}\\b`, 'm').test(source)) return []
  // Its head has no line of another declaration, and ends with `{}`, or with `{` at the end of a line.
  const head = `^export (?:abstract )?(?:interface|class) ${name}\\b(?:(?!^(?:export )?(?:const|interface|class|type)\\b)[\\s\\S])*?`
  const whole = new RegExp(`${head}\\{(?:\\}$|$([\\s\\S]*?)^\\})`, 'm').exec(source)
  if (!whole) throw new Error(`${file}: the body of ${name} cannot be read`)
  return [...new Set([...(whole[1] ?? '').matchAll(METHOD)].map(([, method = '']) => method))]
}
