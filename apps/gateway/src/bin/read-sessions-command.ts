import { parseArgs } from 'node:util'
import { parseChannel, userChannel } from '@saoma/protocol'
import * as v from 'valibot'
import type { HowToEnd } from '../login/end-person.ts'
import { LONGEST_REASON, Reason, Sid } from '../login/end-request.ts'

export const USAGE = `Usage: saoma sessions <command> [options]
  end <id>   end all sessions of a person on every node, and the logins that the person has scanned

  --sid <sid>         end only this session
  --keep <sid>        end all but this one
  --reason <text>     a sentence for the person, up to ${LONGEST_REASON} characters: the pages show it
  --env-file <file>   settings of a node, beneath those of the environment; may be repeated (default:
                      .saoma/cluster.env, if there is one)
  --help              show this

It writes to the Redis of the settings, so it needs no API key, and no node has to run.
Exit codes: 0 done, 1 failed, 2 wrong usage.
`

/** The parsed command line. `wrong` has an error message for its author. */
export type AskedSessionsCommand =
  | { kind: 'end'; user: string; how: HowToEnd; envFiles: readonly string[] }
  | { kind: 'help' }
  | { kind: 'wrong'; reason: string }

const wrong = (reason: string): AskedSessionsCommand => ({ kind: 'wrong', reason })

/** An id may begin with a dash, which the parser would take for an option. So an id stands behind `end`. */
const split = (args: readonly string[]): { id: string | undefined; rest: readonly string[] } => {
  const [verb = '', id = '', ...rest] = args
  return verb === 'end' && /^-?[^-]/.test(id) && id !== '-h'
    ? { id, rest: [verb, ...rest] }
    : { id: undefined, rest: args }
}

export const readSessionsCommand = (args: readonly string[]): AskedSessionsCommand => {
  try {
    const { id, rest } = split(args)
    const { values, positionals } = parseArgs({
      args: [...rest],
      allowPositionals: true,
      options: {
        sid: { type: 'string' },
        keep: { type: 'string' },
        reason: { type: 'string' },
        'env-file': { type: 'string', multiple: true, default: [] },
        help: { type: 'boolean', short: 'h', default: false },
      },
    })
    const [verb, ...words] = [...positionals.slice(0, 1), ...(id === undefined ? [] : [id]), ...positionals.slice(1)]
    if (values.help || verb === 'help') return { kind: 'help' }
    if (verb === undefined) return wrong('Say what is to be done.')
    if (verb !== 'end') return wrong(`There is no command "${verb}".`)
    const [user, more] = words
    if (user === undefined) return wrong('end needs the id of a person: the sub of the tokens, or your own uid.')
    if (more !== undefined) return wrong(`end needs one id, but there is also "${more}".`)
    if (!parseChannel(userChannel(user)).ok) return wrong(`"${user}" is no id of a person.`)
    const { sid, keep, reason, 'env-file': envFiles } = values
    if (sid !== undefined && keep !== undefined) return wrong('Give --sid or --keep, not both.')
    for (const [name, text] of Object.entries({ sid, keep }))
      if (text !== undefined && !v.is(Sid, text)) return wrong(`--${name} is the id of a session.`)
    if (reason !== undefined && !v.is(Reason, reason))
      return wrong(`--reason is a sentence of up to ${LONGEST_REASON} characters, without line breaks.`)
    return { kind: 'end', user, how: { sid, keep, reason }, envFiles }
  } catch (error) {
    return wrong((error as Error).message)
  }
}
