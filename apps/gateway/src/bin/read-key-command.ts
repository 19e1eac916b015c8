import { parseArgs } from 'node:util'
import { arePatterns, isKeyName, NAME_RULE, PATTERNS_RULE, readScopes, SCOPES_RULE } from '../access/api-keys.ts'
import { type ChannelAct, channelActs, type Scope } from '../access/scopes.ts'
import { areFewPatterns, FEW_PATTERNS_RULE } from '../admin/key-requests.ts'
import { DAY_MS, durationOf, LONGEST_OVERLAP_MS, USUAL_OVERLAP_MS } from './durations.ts'

export const USAGE = `Usage: saoma key <command> [options]
  create <name> <patterns>   make a key for a backend, such as: saoma key create shop 'room:*,user:*'
  list                       show every key: its name and channels, the beginning of its hash; with a Redis in
                             the settings the keys there too, with scopes, expiry, first and last use
  rotate <name>              give a key in Redis a new secret; the former one stays good for a while
  revoke <name>              take a key away, from the file and from Redis

  --redis             create: keep the key in Redis, where every node has it at once, instead of in a file. With
                      --scope it needs no patterns. list, revoke: look at Redis alone
  --scope <scopes>    create: what the key may do beside channels, such as audit:read,sessions:end (default: in
                      Redis nothing, in a file sessions:end)
  --may <acts>        create --redis: what it may do in its channels (default: publish,follow,presence)
  --expires <time>    create --redis: when it ends, such as 90d, 12h or 30m from now (default: never)
  --overlap <time>    rotate: how long the former secret stays good, up to 30d (default: 24h)
  --file <file>       the file with the keys (default: the one that SAOMA_API_KEYS names)
  --env-file <file>   settings of a node, beneath those of the environment; may be repeated (default:
                      .saoma/cluster.env, if there is one). For a file SAOMA_API_KEYS is enough
  --json              print JSON (create, list, rotate)
  --help              show this

Exit codes: 0 done, 1 failed, 2 wrong usage.
`

export type KeyCommand =
  | { kind: 'create'; name: string; patterns: string }
  | { kind: 'list' }
  | { kind: 'rotate'; name: string; overlapMs: number }
  | { kind: 'revoke'; name: string }

export interface KeyOptions {
  /** The file of the keys, instead of the one of the settings. */
  file?: string
  /** Whether the command is about Redis alone. */
  redis: boolean
  envFiles: readonly string[]
  json: boolean
  /** For a new key. */
  scopes?: readonly Scope[]
  may?: readonly ChannelAct[]
  expiresMs?: number
}

/** The parsed command line. `reason` is an error message for its author. */
export type AskedKeyCommand =
  | { kind: 'command'; command: KeyCommand; options: KeyOptions }
  | { kind: 'help' }
  | { kind: 'wrong'; reason: string }

const LONGEST = { overlapMs: LONGEST_OVERLAP_MS, expiresMs: 3_650 * DAY_MS }

const options = {
  file: { type: 'string' },
  redis: { type: 'boolean', default: false },
  scope: { type: 'string' },
  may: { type: 'string' },
  expires: { type: 'string' },
  overlap: { type: 'string' },
  'env-file': { type: 'string', multiple: true },
  json: { type: 'boolean', default: false },
  help: { type: 'boolean', short: 'h', default: false },
} as const
type Values = ReturnType<typeof parseArgs<{ options: typeof options }>>['values']

const isAct = (word: string): word is ChannelAct => (channelActs as readonly string[]).includes(word)
const actsOf = (text: string): readonly ChannelAct[] | undefined => {
  const words = text.split(',')
  return words.every(isAct) ? words : undefined
}

const readCommand = ([kind, ...words]: readonly string[], values: Values): KeyCommand | string => {
  const [name = '', patterns = '', ...more] = words
  if (kind === 'create') {
    const isBare = values.redis && values.scope !== undefined
    if (words.length < (isBare ? 1 : 2)) return 'create needs a name and patterns.'
    if (more.length > 0) return `create needs a name and patterns, but there is also "${more[0]}". Quote the patterns.`
    if (!isKeyName(name)) return `The name ${NAME_RULE}.`
    if (words.length > 1 && !arePatterns(patterns)) return `The second word ${PATTERNS_RULE}.`
    if (values.redis && !areFewPatterns(patterns.split(','))) return `A key in Redis ${FEW_PATTERNS_RULE}.`
    return { kind, name, patterns }
  }
  if (kind === 'list') return words.length === 0 ? { kind } : `list needs no more words, but there is "${name}".`
  if (kind === 'revoke' || kind === 'rotate') {
    if (words.length !== 1) return `${kind} needs one name. saoma key list shows the names.`
    if (!isKeyName(name)) return `The name ${NAME_RULE}.`
    if (kind === 'revoke') return { kind, name }
    const overlapMs = values.overlap === undefined ? USUAL_OVERLAP_MS : durationOf(values.overlap)
    return overlapMs === undefined || overlapMs > LONGEST.overlapMs
      ? '--overlap is a time such as 24h, up to 30d. With 0 the former secret ends at once.'
      : { kind, name, overlapMs }
  }
  return kind === undefined ? 'Say what is to be done.' : `There is no command "${kind}".`
}

/** Why these options do not go with the command. */
const misfitOf = (kind: KeyCommand['kind'], values: Values): string | undefined => {
  if (kind === 'revoke' && values.json) return 'revoke has no option --json.'
  if (kind === 'rotate' && values.file !== undefined)
    return 'rotate has no option --file: a line of a file has one secret. Make a line with another name there.'
  if (kind !== 'rotate' && values.overlap !== undefined) return `${kind} has no option --overlap.`
  if (values.redis && values.file !== undefined) return 'Give --redis or --file, not both.'
  for (const name of ['scope', 'may', 'expires'] as const)
    if (values[name] !== undefined && kind !== 'create') return `${kind} has no option --${name}.`
  for (const name of ['may', 'expires'] as const)
    if (values[name] !== undefined && !values.redis) return `--${name} is for keys in Redis: give --redis as well.`
  return undefined
}

const readOptions = (values: Values): KeyOptions | string => {
  const { file, redis, json, 'env-file': envFiles = [] } = values
  const scopes = values.scope === undefined ? undefined : readScopes(values.scope)
  if (values.scope !== undefined && !scopes) return `--scope ${SCOPES_RULE}.`
  const may = values.may === undefined ? undefined : actsOf(values.may)
  if (values.may !== undefined && !may) return `--may must list acts; there are ${channelActs.join(', ')}.`
  const expiresMs = values.expires === undefined ? undefined : durationOf(values.expires)
  if (values.expires !== undefined && !(expiresMs && expiresMs <= LONGEST.expiresMs))
    return '--expires is a time such as 90d, 12h or 30m, up to 3650d.'
  return {
    ...(file === undefined ? {} : { file }),
    ...{ redis, envFiles, json },
    ...(scopes ? { scopes } : {}),
    ...(may ? { may } : {}),
    ...(expiresMs ? { expiresMs } : {}),
  }
}

export const readKeyCommand = (args: readonly string[]): AskedKeyCommand => {
  const wrong = (reason: string): AskedKeyCommand => ({ kind: 'wrong', reason })
  try {
    const { values, positionals } = parseArgs({ args: [...args], allowPositionals: true, options })
    if (values.help || positionals[0] === 'help') return { kind: 'help' }
    const command = readCommand(positionals, values)
    if (typeof command === 'string') return wrong(command)
    const misfit = misfitOf(command.kind, values)
    if (misfit) return wrong(misfit)
    const read = readOptions(values)
    return typeof read === 'string' ? wrong(read) : { kind: 'command', command, options: read }
  } catch (error) {
    return wrong((error as Error).message)
  }
}
