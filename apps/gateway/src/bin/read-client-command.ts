import { parseArgs } from 'node:util'
import { verificationDemands } from '@saoma/protocol'
import { CLIENT_ID_RULE, isClientId, type Registration } from '../access/read-clients.ts'
import { durationOf, LONGEST_OVERLAP_MS, USUAL_OVERLAP_MS } from './durations.ts'

export const USAGE = `Usage: saoma client <command> [options]
  add <client_id>      register an application, such as:
                       saoma client add wiki --name 'Our wiki' --redirect https://wiki.example.com/callback
                       saoma client add tv --name 'Lobby TV' --device --public
  list                 show every application
  remove <client_id>   take an application away
  rotate <client_id>   give one in Redis a new secret; the former one stays good for a while

  --redis             keep it in Redis, where every node has it at once, instead of in a file (add, remove,
                      rotate); show those of Redis as well (list)
  --name <text>       what page and phone display (add)
  --redirect <uri>    where the answer may go, to the letter; may be repeated (add)
  --device            a TV or a command line: it shows a code to scan or to type (add)
  --push              a server that asks for a login on the person's phone (CIBA) (add)
  --notify <uri>      where it is told that the person has answered; without it, it asks again and again (add)
  --logout <uri>      where a person may be sent after logging out; may be repeated (add)
  --backchannel-logout <uri>
                      where the application is told that a session has ended (add)
  --logo <uri>        address of a picture (add)
  --public            it runs in a browser or on a phone and keeps no secret (add; default: confidential)
  --first-party       it belongs to you, so people are not asked what it may know (add; default: they are)
  --refresh           it gets refresh tokens (add)
  --scope <words>     the most that it may ask for (add; default: 'openid profile')
  --network <cidr>    where its logins may begin, such as 10.0.0.0/8; may be repeated (add; default: anywhere)
  --verify <mode>     how its people log in at least: tap, number, network or network-or-number (add; default:
                      what SAOMA_VERIFY says)
  --alg <name>        signature of its id tokens, RS256 or ES256 (add; default: RS256)
  --overlap <time>    how long the former secret stays good, up to 30d (rotate; default: 24h)
  --file <file>       the file of the applications (default: the one that SAOMA_CLIENTS names)
  --env-file <file>   settings of a node, beneath those of the environment; may be repeated (default:
                      .saoma/cluster.env, if there is one). For a file SAOMA_CLIENTS is enough
  --json              print JSON (add, list, rotate)
  --help              show this

Exit codes: 0 done, 1 failed, 2 wrong usage.
`

/** An application to add, before it has a secret. */
export type NewClient = Registration

export type ClientCommand =
  | { kind: 'add'; client: NewClient }
  | { kind: 'list' }
  | { kind: 'remove'; id: string }
  | { kind: 'rotate'; id: string; overlapMs: number }

export interface ClientOptions {
  /** The file of the applications, instead of the one of the settings. */
  file?: string
  /** Whether the command is about Redis. */
  redis: boolean
  envFiles: readonly string[]
  json: boolean
}

/** The parsed command line. `reason` is an error message for its author. */
export type AskedClientCommand =
  | { kind: 'command'; command: ClientCommand; options: ClientOptions }
  | { kind: 'help' }
  | { kind: 'wrong'; reason: string }

const parse = (args: readonly string[]) =>
  parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      name: { type: 'string' },
      redirect: { type: 'string', multiple: true, default: [] },
      device: { type: 'boolean', default: false },
      push: { type: 'boolean', default: false },
      notify: { type: 'string' },
      logout: { type: 'string', multiple: true, default: [] },
      'backchannel-logout': { type: 'string' },
      logo: { type: 'string' },
      public: { type: 'boolean', default: false },
      'first-party': { type: 'boolean', default: false },
      refresh: { type: 'boolean', default: false },
      scope: { type: 'string' },
      network: { type: 'string', multiple: true, default: [] },
      verify: { type: 'string' },
      alg: { type: 'string' },
      redis: { type: 'boolean', default: false },
      overlap: { type: 'string' },
      file: { type: 'string' },
      'env-file': { type: 'string', multiple: true, default: [] },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
  })
const algorithms = ['RS256', 'ES256'] as const
/** The options that every command has. */
const COMMON: readonly string[] = ['file', 'redis', 'env-file', 'json']

type Values = ReturnType<typeof parse>['values']

const newClient = (id: string, values: Values): NewClient | string => {
  if (!isClientId(id)) return `The id ${CLIENT_ID_RULE}.`
  if (!values.name) return 'add needs a --name.'
  const alg = algorithms.find((name) => name === values.alg)
  if (values.alg !== undefined && !alg) return `--alg is ${algorithms.join(' or ')}.`
  const verify = verificationDemands.find((demand) => demand === values.verify)
  if (values.verify !== undefined && !verify) return `--verify is one of ${verificationDemands.join(', ')}.`
  if (values.redirect.length === 0 && !values.device && !values.push)
    return 'add needs a --redirect: where the application gets the answer. Or --device, or --push.'
  return {
    client_id: id,
    client_name: values.name,
    ...(values.logo ? { logo_uri: values.logo } : {}),
    type: values.public ? 'public' : 'confidential',
    party: values['first-party'] ? 'first' : 'third',
    ...(values.redirect.length > 0 ? { redirect_uris: values.redirect } : {}),
    ...(values.logout.length > 0 ? { post_logout_redirect_uris: values.logout } : {}),
    ...(values['backchannel-logout'] ? { backchannel_logout_uri: values['backchannel-logout'] } : {}),
    ...(values.notify ? { backchannel_client_notification_endpoint: values.notify } : {}),
    grant_types: [
      ...(values.redirect.length > 0 ? (['authorization_code'] as const) : []),
      ...(values.device ? (['urn:ietf:params:oauth:grant-type:device_code'] as const) : []),
      ...(values.push ? (['urn:openid:params:grant-type:ciba'] as const) : []),
      ...(values.refresh ? (['refresh_token'] as const) : []),
    ],
    scope: values.scope ?? 'openid profile',
    ...(values.network.length > 0 ? { networks: values.network } : {}),
    ...(alg ? { id_token_signed_response_alg: alg } : {}),
    ...(verify ? { verify } : {}),
  }
}

/** Why there is an option that only `add` has. */
const foreignTo = (values: Partial<Values>): string | undefined => {
  const foreign = Object.entries(values).find(
    ([name, value]) => !COMMON.includes(name) && value !== undefined && value !== false && [value].flat().length > 0,
  )
  return foreign && `--${foreign[0]} is an option of add.`
}

const readCommand = ([kind, ...words]: readonly string[], values: Values): ClientCommand | string => {
  const [id = '', ...more] = words
  if (values.redis && values.file !== undefined && kind !== 'list') return 'Give --redis or --file, not both.'
  if (kind === 'rotate') {
    const { overlap, ...others } = values
    if (values.file !== undefined) return 'rotate has no option --file: in a file replace secret_sha256.'
    if (words.length !== 1) return 'rotate needs one id. saoma client list --redis shows the ids.'
    const overlapMs = overlap === undefined ? USUAL_OVERLAP_MS : durationOf(overlap)
    if (overlapMs === undefined || overlapMs > LONGEST_OVERLAP_MS)
      return '--overlap is a time such as 24h, up to 30d. With 0 the former secret ends at once.'
    return foreignTo(others) ?? { kind, id, overlapMs }
  }
  if (values.overlap !== undefined) return '--overlap is an option of rotate.'
  if (kind === 'add') {
    if (id === '' || more.length > 0) return 'add needs one id. saoma client --help shows the options.'
    const client = newClient(id, values)
    return typeof client === 'string' ? client : { kind, client }
  }
  const foreign = foreignTo(values)
  if (foreign) return foreign
  if (kind === 'list') return words.length === 0 ? { kind } : `list needs no more words, but there is "${id}".`
  if (kind === 'remove') {
    if (words.length !== 1) return 'remove needs one id. saoma client list shows the ids.'
    return values.json ? 'remove has no option --json.' : { kind, id }
  }
  return kind === undefined ? 'Say what is to be done.' : `There is no command "${kind}".`
}

export const readClientCommand = (args: readonly string[]): AskedClientCommand => {
  try {
    const { values, positionals } = parse(args)
    if (values.help || positionals[0] === 'help') return { kind: 'help' }
    const command = readCommand(positionals, values)
    if (typeof command === 'string') return { kind: 'wrong', reason: command }
    const { file, redis, json, 'env-file': envFiles } = values
    return { kind: 'command', command, options: { ...(file === undefined ? {} : { file }), redis, envFiles, json } }
  } catch (error) {
    return { kind: 'wrong', reason: (error as Error).message }
  }
}
