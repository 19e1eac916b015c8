import { parseArgs } from 'node:util'
import { arePatterns, isKeyName, NAME_RULE, PATTERNS_RULE } from '../access/api-keys.ts'

export const USAGE = `Usage: saoma key <command> [options]
  create <name> <patterns>   make a key for a backend, such as: saoma key create shop 'room:*,user:*'
  list                       show every key: its name, its channels, the beginning of its hash
  revoke <name>              take a key away

  --file <file>       the file with the keys (default: the one that SAOMA_API_KEYS names)
  --env-file <file>   settings to read SAOMA_API_KEYS from, beneath those of the environment; may be repeated
                      (default: .saoma/cluster.env, if there is one)
  --json              print JSON (create, list)
  --help              show this

Exit codes: 0 done, 1 failed, 2 wrong usage.
`

export type KeyCommand =
  | { kind: 'create'; name: string; patterns: string }
  | { kind: 'list' }
  | { kind: 'revoke'; name: string }

export interface KeyOptions {
  /** The file of the keys, instead of the one of the settings. */
  file?: string
  envFiles: readonly string[]
  json: boolean
}

/** The parsed command line. `reason` is an error message for its author. */
export type AskedKeyCommand =
  | { kind: 'command'; command: KeyCommand; options: KeyOptions }
  | { kind: 'help' }
  | { kind: 'wrong'; reason: string }

const readCommand = ([kind, ...words]: readonly string[]): KeyCommand | string => {
  const [name = '', patterns = '', ...more] = words
  if (kind === 'create') {
    if (words.length < 2) return 'create needs a name and patterns.'
    if (more.length > 0) return `create needs a name and patterns, but there is also "${more[0]}". Quote the patterns.`
    if (!isKeyName(name)) return `The name ${NAME_RULE}.`
    if (!arePatterns(patterns)) return `The second word ${PATTERNS_RULE}.`
    return { kind, name, patterns }
  }
  if (kind === 'list') return words.length === 0 ? { kind } : `list needs no more words, but there is "${name}".`
  if (kind === 'revoke')
    return words.length === 1 ? { kind, name } : 'revoke needs one name. saoma key list shows the names.'
  return kind === undefined ? 'Say what is to be done.' : `There is no command "${kind}".`
}

export const readKeyCommand = (args: readonly string[]): AskedKeyCommand => {
  try {
    const { values, positionals } = parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        file: { type: 'string' },
        'env-file': { type: 'string', multiple: true, default: [] },
        json: { type: 'boolean', default: false },
        help: { type: 'boolean', short: 'h', default: false },
      },
    })
    if (values.help || positionals[0] === 'help') return { kind: 'help' }
    const command = readCommand(positionals)
    if (typeof command === 'string') return { kind: 'wrong', reason: command }
    if (command.kind === 'revoke' && values.json) return { kind: 'wrong', reason: 'revoke has no option --json.' }
    const { file, json, 'env-file': envFiles } = values
    return { kind: 'command', command, options: { ...(file === undefined ? {} : { file }), envFiles, json } }
  } catch (error) {
    return { kind: 'wrong', reason: (error as Error).message }
  }
}
