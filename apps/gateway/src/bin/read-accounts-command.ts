import { parseArgs } from 'node:util'

export const USAGE = `Usage: saoma accounts import <file> [--after <line>] [--env-file <file>]
  import <file>        give people of your own tables their accounts: one JSON object a line, such as
                       {"id":"openid","union":"unionid","sub":"1001","claims":{"name":"Ann"}}
                       - reads standard input
  --after <line>       go on behind this line, which a former import printed
  --env-file <file>    settings of a node, beneath those of the environment; may be repeated (default:
                       .saoma/cluster.env, if there is one)
  --help               show this

An import may be repeated: what was done before changes nothing. Each bad line is named, and the others are
done.

Exit codes: 0 done, 1 failed or some lines are bad, 2 wrong usage, 130 interrupted.
`

/** The parsed command line. `reason` is an error message for its author. */
export type AskedAccountsCommand =
  | { kind: 'import'; file: string; after: number; envFiles: readonly string[] }
  | { kind: 'help' }
  | { kind: 'wrong'; reason: string }

const wrong = (reason: string): AskedAccountsCommand => ({ kind: 'wrong', reason })

export const readAccountsCommand = (args: readonly string[]): AskedAccountsCommand => {
  const { values, positionals } = parseArgs({
    args: [...args],
    options: {
      help: { type: 'boolean', short: 'h' },
      after: { type: 'string' },
      'env-file': { type: 'string', multiple: true },
    },
    allowPositionals: true,
    strict: false,
  })
  const { help, after = '0', 'env-file': files = [], ...options } = values
  const [name, file, ...more] = positionals
  if (help || name === 'help') return { kind: 'help' }
  if (name === undefined) return wrong('Say what is to be done.')
  if (name !== 'import') return wrong(`There is no command "${name}".`)
  const [unknown] = Object.keys(options)
  if (unknown !== undefined) return wrong(`import has no option ${unknown.length > 1 ? '--' : '-'}${unknown}.`)
  const envFiles = files.filter((each) => typeof each === 'string')
  if (envFiles.length < files.length) return wrong('--env-file needs the name of a file.')
  if (typeof after !== 'string' || !/^\d{1,12}$/.test(after)) return wrong('--after needs the number of a line.')
  if (file === undefined) return wrong('import needs the name of a file, or - for standard input.')
  if (more[0] !== undefined) return wrong(`import needs one file, but there is "${more[0]}" too.`)
  return { kind: 'import', file, after: Number(after), envFiles }
}
