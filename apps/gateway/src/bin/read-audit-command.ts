import { parseArgs } from 'node:util'
import type { AuditQuery } from '@saoma/audit'
import { readAuditQuery } from '../admin/audit-query.ts'

export const USAGE = `Usage: saoma audit <command> [options]
  tail                show the newest entries, and then each one that comes
  export              print all entries as lines of JSON, the oldest first

  --kind <kinds>      only these, such as login.redeemed,session.ended; login stands for all of its group
  --person <sub>      only entries of this person
  --ticket <ticket>   only entries of this login
  --sid <sid>         only entries of this session
  --network <network> only entries from this address, or from a network such as 203.0.113.0/24
  --from <time>       only entries since then, such as 2026-11-30T09:00:00Z
  --to <time>         only entries until then
  --lines <number>    tail: how many to begin with (default 20)
  --json              tail: print lines of JSON
  --env-file <file>   settings of a node, beneath those of the environment; may be repeated (default:
                      .saoma/cluster.env, if there is one)
  --help              show this

Exit codes: 0 done, 1 failed, 2 wrong usage, 130 interrupted.
`

export type AskedAudit =
  | { kind: 'tail'; query: AuditQuery; lines: number; json: boolean; envFiles: readonly string[] }
  | { kind: 'export'; query: AuditQuery; envFiles: readonly string[] }
  | { kind: 'help' }
  | { kind: 'wrong'; reason: string }

const FILTERS = ['kind', 'person', 'ticket', 'sid', 'network', 'from', 'to'] as const
const LINES = 20
/** One page of the audit. */
const MOST_LINES = 500

const text = { type: 'string' } as const
const options = {
  ...(Object.fromEntries(FILTERS.map((name) => [name, text])) as Record<(typeof FILTERS)[number], typeof text>),
  lines: text,
  json: { type: 'boolean' },
  'env-file': { type: 'string', multiple: true },
  help: { type: 'boolean', short: 'h' },
} as const

const wrong = (reason: string): AskedAudit => ({ kind: 'wrong', reason })

const parse = (args: readonly string[]) => {
  try {
    return parseArgs({ args: [...args], options, allowPositionals: true })
  } catch (error) {
    return (error as Error).message
  }
}

/** Reads the command line. `reason` is an error message for its author. */
export const readAuditCommand = (args: readonly string[]): AskedAudit => {
  const parsed = parse(args)
  if (typeof parsed === 'string') return wrong(parsed)
  const { values, positionals } = parsed
  const [name, more] = positionals
  if (values.help || name === 'help') return { kind: 'help' }
  if (name === undefined) return wrong('Say what is to be done.')
  if (name !== 'tail' && name !== 'export') return wrong(`There is no command "${name}".`)
  if (more !== undefined) return wrong(`${name} needs no more words, but there is "${more}".`)
  const { json = false, lines, 'env-file': envFiles = [] } = values
  if (name === 'export' && (json || lines !== undefined)) return wrong('export has neither --json nor --lines.')
  const read = readAuditQuery(
    Object.fromEntries(FILTERS.flatMap((filter) => (values[filter] === undefined ? [] : [[filter, values[filter]]]))),
  )
  if (!read.ok) return wrong(`--${read.why}.`)
  if (name === 'export') return { kind: 'export', query: { ...read.value, order: 'oldest' }, envFiles }
  if (lines !== undefined && !(/^\d{1,3}$/.test(lines) && Number(lines) <= MOST_LINES))
    return wrong(`--lines is a number from 0 to ${MOST_LINES}.`)
  return { kind: 'tail', query: read.value, lines: Number(lines ?? LINES), json, envFiles }
}
