import { givenIn } from '@saoma/protocol'
import { drawClientSecret } from '../access/client-store.ts'
import type { ListedClient } from '../access/listed-client.ts'
import { type ClientEntry, parseClients } from '../access/read-clients.ts'
import { endCommand, FAILED } from './command-end.ts'
import { readGiven } from './given.ts'
import { changeKeyFile } from './key-file.ts'
import { asLines, type ListSource, listSourceOf, listTextOf } from './list-source.ts'
import {
  type ClientCommand,
  type ClientOptions,
  type NewClient,
  readClientCommand,
  USAGE,
} from './read-client-command.ts'
import { isUnheard, say, warn } from './say.ts'
import { type StoredClientCommands, type ToldClient, withStoredClients } from './stored-client-commands.ts'

/*
 * Registers, lists, rotates and removes applications, in a file or in Redis:
 *
 *   saoma client add wiki --name 'Our wiki' --redirect https://wiki.example.com/callback --first-party
 *   saoma client list
 *   saoma client remove wiki
 *   saoma client rotate wiki --redis
 *
 * In the image: node apps/gateway/src/bin/client.ts. Exit status: 0 on success, 1 on failure, 2 if the
 * command line is wrong or names a file that cannot be read.
 */

const sourceOf = (options: ClientOptions): ListSource => listSourceOf('SAOMA_CLIENTS', options)
const placeOf = (source: ListSource): string => ('file' in source ? source.file : 'SAOMA_CLIENTS')

/** The entries as they stand there. Throws an error for the user if nodes would not take them. */
const entriesIn = (text: string, place: string): ClientEntry[] => {
  const { problems } = parseClients(text)
  if (problems.length > 0) throw new Error(`${place} has problems:${asLines(problems)}`)
  return text.trim() === '' ? [] : (JSON.parse(text) as ClientEntry[])
}

const written = (entries: readonly ClientEntry[]): string => `${JSON.stringify(entries, undefined, 2)}\n`

/** The text with one more application. Throws an error for the user if nodes would not take it. */
const withClient = (text: string, entry: ClientEntry, place: string): string => {
  const entries = entriesIn(text, place)
  if (entries.some(({ client_id }) => client_id === entry.client_id))
    throw new Error(`${place} has ${entry.client_id} already. Take another id, or remove that one first.`)
  const longer = written([...entries, entry])
  const { problems } = parseClients(longer)
  if (problems.length > 0)
    throw new Error(
      `Nodes would not take it: ${problems.map((problem) => problem.replace(/^line \d+: /, '')).join('; ')}.`,
    )
  return longer
}

const withoutClient = (text: string, id: string, place: string): string | undefined => {
  const entries = entriesIn(text, place)
  const left = entries.filter(({ client_id }) => client_id !== id)
  return left.length === entries.length ? undefined : written(left)
}

const beHeard = (): void => {
  if (isUnheard())
    throw new Error('Nobody would see the secret: standard output is closed, or /dev/null. So none was made.')
}

const add = async (client: NewClient, options: ClientOptions): Promise<void> => {
  const source = sourceOf(options)
  const drawn = client.type === 'confidential' ? drawClientSecret() : undefined
  const secret = drawn?.secret
  if (secret) beHeard()
  // Another application that gets this id later inherits nothing.
  const issued = { client_id_issued_at: Math.floor(Date.now() / 1000) }
  const entry: ClientEntry = { ...client, ...issued, ...(drawn ? { secret_sha256: drawn.sha256 } : {}) }
  const place = placeOf(source)
  if ('file' in source) await changeKeyFile(source.file, (text) => withClient(text, entry, place))
  const inSetting = 'file' in source ? undefined : JSON.stringify(JSON.parse(withClient(source.text, entry, place)))
  const told = options.json
    ? [JSON.stringify({ client_id: client.client_id, ...(secret ? { client_secret: secret } : {}), ...source })]
    : [
        `client_id: ${client.client_id}`,
        ...(secret ? [`client_secret, shown once: ${secret}`] : []),
        inSetting === undefined
          ? `Added to ${place}. Nodes that have this file take it within 2 seconds.`
          : `For SAOMA_CLIENTS, or a file that it names:\n${inSetting}`,
      ]
  try {
    await say(...told)
  } catch (error) {
    // A secret that nobody knows is of no use, and its application stands in the way of the next try.
    if ('file' in source) await changeKeyFile(source.file, (text) => withoutClient(text, client.client_id, place))
    throw new Error(`The secret cannot be printed (${(error as NodeJS.ErrnoException).code}). So nothing was added.`)
  }
}

/** Resolves with whether nodes take the list. */
const list = async (options: ClientOptions): Promise<boolean> => {
  const source = sourceOf(options)
  const { clients, problems } = parseClients(await listTextOf(source))
  const all = [...clients.values()].map(({ secretSha256: _, ...client }) => client)
  if (options.json)
    await say(JSON.stringify({ ...('file' in source ? { file: source.file } : {}), clients: all, problems }))
  else if (all.length === 0 && problems.length === 0) warn(`${placeOf(source)} has no applications.`)
  else if (all.length > 0) {
    const width = Math.max('CLIENT_ID'.length, ...all.map(({ id }) => id.length))
    await say(
      `${'CLIENT_ID'.padEnd(width)}  TYPE          PARTY  NAME`,
      ...all.map(({ id, type, party, name }) => `${id.padEnd(width)}  ${type.padEnd(12)}  ${party.padEnd(5)}  ${name}`),
    )
  }
  tellProblems(problems, options)
  return problems.length === 0
}

const remove = async (id: string, options: ClientOptions): Promise<void> => {
  const source = sourceOf(options)
  const place = placeOf(source)
  const missing = new Error(`${place} has no application ${id}.`)
  if (!('file' in source)) {
    if (withoutClient(source.text, id, place) === undefined) throw missing
    throw new Error(`${id} is in the setting SAOMA_CLIENTS itself. Take it out there, and restart the nodes.`)
  }
  await changeKeyFile(source.file, (text) => {
    const shorter = withoutClient(text, id, place)
    if (shorter === undefined) throw missing
    return shorter
  })
  await say(`Removed from ${place}. Nodes that have this file notice within 2 seconds, and give it no more tokens.`)
}

const inRedis = <T>(options: ClientOptions, work: (clients: StoredClientCommands) => Promise<T>): Promise<T> =>
  withStoredClients(givenIn(readGiven(options.envFiles)), work)

/** Prints an application of Redis with its secret. */
const tellStored =
  (options: ClientOptions, where: string) =>
  (made: ToldClient): Promise<void> =>
    options.json
      ? say(JSON.stringify(made))
      : say(
          `client_id: ${made.client_id}`,
          ...(made.client_secret === undefined ? [] : [`client_secret, shown once: ${made.client_secret}`]),
          where,
        )

const addToRedis = (client: NewClient, options: ClientOptions): Promise<void> => {
  if (client.type === 'confidential') beHeard()
  const tell = tellStored(options, 'Added to Redis. Every node has been told.')
  return inRedis(options, (clients) => clients.create(client, tell))
}

const rotate = (id: string, overlapMs: number, options: ClientOptions): Promise<void> => {
  beHeard()
  const until = new Date(Date.now() + overlapMs).toISOString()
  const tell = tellStored(
    options,
    overlapMs > 0 ? `The former secret stays good until ${until}.` : 'The former secret has ended.',
  )
  return inRedis(options, (clients) => clients.rotate(id, overlapMs, tell))
}

const removeFromRedis = async (id: string, options: ClientOptions): Promise<void> => {
  if (!(await inRedis(options, (clients) => clients.remove(id))))
    throw new Error(
      `Redis has no application ${id}. If it has just lost data, nodes put their applications back within ten seconds: then try again. If it is full, ask a node: DELETE /v1/admin/clients/{client_id}.`,
    )
  await say('Removed from Redis. Every node has been told, and gives it no more tokens.')
}

const noteOf = ({ hidden, unreadable }: ListedClient): string =>
  [hidden ? 'hidden by the file' : '', unreadable ? 'cannot be read' : ''].filter(Boolean).join(', ')

/** Both sources. Resolves with whether nodes take the file. */
const listAll = async (options: ClientOptions): Promise<boolean> => {
  const source = sourceOf(options)
  const { clients, registrations, problems } = parseClients(await listTextOf(source))
  const file = { find: (id: string) => clients.get(id), registrations: () => registrations }
  const all = await inRedis(options, (stored) => stored.list(file))
  if (options.json) await say(JSON.stringify({ clients: all, problems }))
  else if (all.length === 0) warn('There are no applications.')
  else {
    const width = Math.max('CLIENT_ID'.length, ...all.map(({ client_id: id }) => id.length))
    await say(
      `${'CLIENT_ID'.padEnd(width)}  SOURCE  TYPE          PARTY  NAME`,
      ...all.map((one) => {
        const { type = '-', party = 'third', client_name: name = '-' } = one.client ?? {}
        const note = noteOf(one)
        const row = [one.client_id.padEnd(width), one.source.padEnd(6), type.padEnd(12), party.padEnd(5), name]
        return `${row.join('  ')}${note ? ` (${note})` : ''}`
      }),
    )
  }
  tellProblems(problems, options)
  return problems.length === 0
}

const tellProblems = (problems: readonly string[], { json }: ClientOptions): void => {
  if (problems.length > 0 && !json) warn(`Nodes keep the applications that they read before:${asLines(problems)}`)
}

const run = async (command: ClientCommand, options: ClientOptions): Promise<boolean> => {
  if (command.kind === 'list') return options.redis ? listAll(options) : list(options)
  if (command.kind === 'rotate') await rotate(command.id, command.overlapMs, options)
  else if (command.kind === 'add') await (options.redis ? addToRedis : add)(command.client, options)
  else await (options.redis ? removeFromRedis : remove)(command.id, options)
  return true
}

// Each write tells of its error itself.
process.stdout.on('error', () => {})

const asked = readClientCommand(process.argv.slice(2))
await endCommand(asked, USAGE, async () =>
  asked.kind === 'command' && (await run(asked.command, asked.options)) ? 0 : FAILED,
)
