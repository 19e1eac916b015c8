import { parseArgs } from 'node:util'
import { isSub } from '@saoma/accounts'
import * as v from 'valibot'
import { LONGEST_REASON, Reason } from '../login/end-request.ts'

export const USAGE = `Usage: saoma accounts <command> [options]
  import <file>        give people of your own tables their accounts: one JSON object a line, such as
                       {"id":"openid","union":"unionid","sub":"1001","claims":{"name":"Ann"}}
                       - reads standard input
  show <sub>           print an account as JSON: state, claims, identities and sessions
  export <sub>         print all that is kept of a person as JSON
  disable <sub>        lock a person out, and end all that goes on
  enable <sub>         let a person in again
  delete <sub> --yes   delete what is kept of a person; it cannot be undone

  --after <line>       of import: go on behind this line, which a former import printed
  --reason <text>      of disable: a sentence for the person, up to ${LONGEST_REASON} characters
  --env-file <file>    settings of a node, beneath those of the environment; may be repeated (default:
                       .saoma/cluster.env, if there is one)
  --help               show this

It writes to the Redis of the settings, so it needs no API key, and no node has to run. Each command may be
repeated. An import changes nothing that was done before, names each bad line, and does the others.

Exit codes: 0 done, 1 failed or some lines are bad, 2 wrong usage, 130 interrupted.
`

/** A command about one person. */
export interface PersonCommand {
  kind: 'show' | 'export' | 'disable' | 'enable' | 'delete'
  sub: string
  reason?: string
  envFiles: readonly string[]
}

/** The parsed command line. `reason` of `wrong` is an error message for its author. */
export type AskedAccountsCommand =
  | { kind: 'import'; file: string; after: number; envFiles: readonly string[] }
  | PersonCommand
  | { kind: 'help' }
  | { kind: 'wrong'; reason: string }

const PERSON = ['show', 'export', 'disable', 'enable', 'delete'] as const
const isAboutPerson = (name: string): name is PersonCommand['kind'] => (PERSON as readonly string[]).includes(name)
/** Options that only one command has. */
const OWN: Readonly<Record<string, string>> = { after: 'import', reason: 'disable', yes: 'delete' }

const wrong = (reason: string): AskedAccountsCommand => ({ kind: 'wrong', reason })

/**
 * A `sub` may begin with a dash, which the parser would take for an option. So it stands behind its command.
 */
const split = (args: readonly string[]): { sub: string[]; rest: readonly string[] } => {
  const [name = '', sub = '', ...rest] = args
  return isAboutPerson(name) && /^-[^-]/.test(sub) && sub !== '-h'
    ? { sub: [sub], rest: [name, ...rest] }
    : { sub: [], rest: args }
}

export const readAccountsCommand = (args: readonly string[]): AskedAccountsCommand => {
  const { sub: dashed, rest } = split(args)
  const { values, positionals } = parseArgs({
    args: [...rest],
    options: {
      help: { type: 'boolean', short: 'h' },
      after: { type: 'string' },
      reason: { type: 'string' },
      yes: { type: 'boolean' },
      'env-file': { type: 'string', multiple: true },
    },
    allowPositionals: true,
    strict: false,
  })
  const { help, 'env-file': files = [], ...options } = values
  const [name, ...words] = [...positionals.slice(0, 1), ...dashed, ...positionals.slice(1)]
  if (help || name === 'help') return { kind: 'help' }
  if (name === undefined) return wrong('Say what is to be done.')
  if (name !== 'import' && !isAboutPerson(name)) return wrong(`There is no command "${name}".`)
  const unknown = Object.keys(options).find((option) => OWN[option] !== name)
  if (unknown !== undefined) return wrong(`${name} has no option ${unknown.length > 1 ? '--' : '-'}${unknown}.`)
  const envFiles = files.filter((each) => typeof each === 'string')
  if (envFiles.length < files.length) return wrong('--env-file needs the name of a file.')
  const [word, more] = words

  if (name === 'import') {
    const { after = '0' } = options
    if (typeof after !== 'string' || !/^\d{1,12}$/.test(after)) return wrong('--after needs the number of a line.')
    if (word === undefined) return wrong('import needs the name of a file, or - for standard input.')
    if (more !== undefined) return wrong(`import needs one file, but there is "${more}" too.`)
    return { kind: 'import', file: word, after: Number(after), envFiles }
  }
  const { reason, yes } = options
  if (word === undefined) return wrong(`${name} needs the sub of a person.`)
  if (more !== undefined) return wrong(`${name} needs one sub, but there is "${more}" too.`)
  if (!isSub(word)) return wrong(`"${word}" is no sub.`)
  if (reason !== undefined && !v.is(Reason, reason))
    return wrong(`--reason is a sentence of up to ${LONGEST_REASON} characters, without line breaks.`)
  if (name === 'delete' && yes !== true) return wrong('delete cannot be undone. If you mean it, add --yes.')
  return { kind: name, sub: word, ...(reason === undefined ? {} : { reason }), envFiles }
}
