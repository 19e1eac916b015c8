import { parseArgs } from 'node:util'
import { parsePooledScene } from '@saoma/protocol'
import type { PoolCommands } from './pool-commands.ts'

export const USAGE = `Usage: saoma pool <command> [--env-file <file>]
  fill <number>             make that many codes
  list                      show every code
  check [--repair]          compare codes with pictures; --repair removes mismatches
  retire <scene>… | --all   remove codes for ever; a login that shows one needs a new code
  adopt                     make SAOMA_POOL_STORE the store of the pool
  --env-file <file>         settings of a node, beneath those of the environment; may be repeated (default:
                            .saoma/cluster.env, if there is one)
  --help                    show this

Exit codes: 0 done, 1 failed, 2 wrong usage, 130 interrupted.
`

export type PoolCommand = (commands: PoolCommands, config: { max: number }) => Promise<boolean>

/** The parsed command line. `reason` is an error message for its author. */
export type AskedCommand =
  | { kind: 'command'; run: PoolCommand; envFiles: readonly string[] }
  | { kind: 'help' }
  | { kind: 'wrong'; reason: string }

interface Grammar {
  /** The only option of the command. */
  option?: 'repair' | 'all'
  /** Returns the command, or an error message if the words are not valid. */
  read(words: readonly string[], hasOption: boolean): PoolCommand | string
}

const isScene = (word: string): boolean => parsePooledScene(word).ok

const grammars: Record<string, Grammar> = {
  fill: {
    read: (words) => {
      const [codes = ''] = words
      if (words.length !== 1) return 'fill needs one number: how many codes to make.'
      if (!/^[1-9]\d{0,6}$/.test(codes)) return `fill needs a number from 1 to 9999999, not "${codes}".`
      return ({ fill }, { max }) => fill(Number(codes), max)
    },
  },
  list: {
    read: ([more]) => (more === undefined ? ({ list }) => list() : `list needs no more words, but there is "${more}".`),
  },
  check: {
    option: 'repair',
    read: ([more], repair) =>
      more === undefined
        ? ({ check }) => check(repair)
        : `check needs no more words than --repair, but there is "${more}".`,
  },
  retire: {
    option: 'all',
    read: (words, all) => {
      if (all && words.length > 0) return 'retire takes scenes or --all, not both.'
      if (all) return ({ retireAll }) => retireAll()
      const wrong = words.find((word) => !isScene(word))
      if (wrong !== undefined) return `"${wrong}" is no scene: one has 24 characters, as list shows it.`
      return words.length > 0 ? ({ retire }) => retire(words) : 'retire needs the scenes of codes, or --all.'
    },
  },
  adopt: {
    read: ([more]) =>
      more === undefined ? ({ adopt }) => adopt() : `adopt needs no more words, but there is "${more}".`,
  },
}

const wrong = (reason: string): AskedCommand => ({ kind: 'wrong', reason })

export const readPoolCommand = (args: readonly string[]): AskedCommand => {
  // A scene may begin with a dash, so keep scenes away from the option parser.
  const { values, positionals } = parseArgs({
    args: args.filter((word) => !isScene(word)),
    options: { help: { type: 'boolean', short: 'h' }, 'env-file': { type: 'string', multiple: true } },
    allowPositionals: true,
    strict: false,
  })
  const { help, 'env-file': files = [], ...options } = values
  const envFiles = files.filter((file) => typeof file === 'string')
  const [name, ...words] = positionals
  if (help || name === 'help') return { kind: 'help' }
  if (envFiles.length < files.length) return wrong('--env-file needs the name of a file.')
  if (name === undefined || isScene(args[0] ?? '')) return wrong('Say what is to be done.')
  const grammar = Object.hasOwn(grammars, name) ? grammars[name] : undefined
  if (!grammar) return wrong(`There is no command "${name}".`)
  // An option takes no value: `--all=false` must not retire everything.
  const unknown = Object.entries(options).find(([option, value]) => option !== grammar.option || value !== true)
  if (unknown) {
    const [option, value] = unknown
    const written = `${option.length > 1 ? '--' : '-'}${option}${typeof value === 'string' ? `=${value}` : ''}`
    return wrong(`${name} has no option ${written}.`)
  }
  const read = grammar.read([...words, ...args.filter(isScene)], Object.keys(options).length > 0)
  return typeof read === 'string' ? wrong(read) : { kind: 'command', run: read, envFiles }
}
