import { userInfo } from 'node:os'
import { parseApiKeys } from '../access/api-keys.ts'
import type { ListedKey } from '../access/listed-key.ts'
import { drawKey } from '../access/new-key.ts'
import { channelActs } from '../access/scopes.ts'
import { endCommand, FAILED } from './command-end.ts'
import { readGiven } from './given.ts'
import { changeKeyFile } from './key-file.ts'
import { withLine, withoutName } from './key-lines.ts'
import { asLines, type ListSource, listSourceOf, listTextOf } from './list-source.ts'
import { type KeyCommand, type KeyOptions, readKeyCommand, USAGE } from './read-key-command.ts'
import { isUnheard, say, warn } from './say.ts'
import { type StoredKeyCommands, type ToldKey, withStoredKeys } from './stored-key-commands.ts'

/*
 * Creates, lists, rotates and revokes the API keys of backends, in a file or in Redis:
 *
 *   saoma key create shop 'room:*,user:*' [--redis]
 *   saoma key list
 *   saoma key rotate shop
 *   saoma key revoke shop
 *
 * In the image: node apps/gateway/src/bin/key.ts. Exit status: 0 on success, 1 on failure, 2 if the command
 * line is wrong or names a file that cannot be read.
 */

/** As many digits of a hash as a person compares. */
const SHOWN_DIGITS = 8

const sourceOf = (options: KeyOptions): ListSource => listSourceOf('SAOMA_API_KEYS', options)
const placeOf = (source: ListSource): string => ('file' in source ? source.file : 'SAOMA_API_KEYS')

/** The text with one more key. Throws an error for the user if nodes would not take it. */
const withKey = (text: string, { name, line, place }: { name: string; line: string; place: string }): string => {
  if (parseApiKeys(text).entries.has(name))
    throw new Error(`${place} has a key ${name} already. Take another name, or revoke that one first.`)
  const longer = withLine(text, line)
  const { problems } = parseApiKeys(longer)
  if (problems.length > 0)
    throw new Error(`Nodes would not take the new key, because ${place} has problems:${asLines(problems)}`)
  return longer
}

const whoWeAre = (): string => {
  try {
    return userInfo().username
  } catch {
    // In a container a user may have no name.
    return `user ${process.getuid?.()}`
  }
}

/** What to do about a new file, which only this user may read. Nodes often run as another. */
const aboutNew = (file: string): string =>
  `The file is new. It belongs to ${whoWeAre()}, who alone may read it. If nodes run as another user, run: chown USER ${file}`

const scopesOf = ({ scopes }: KeyOptions) => (scopes ? { scopes } : {})

const beHeard = (): void => {
  if (isUnheard())
    throw new Error('Nobody would see the key: standard output is closed, or /dev/null. So none was made.')
}

const inRedis = <T>({ envFiles }: KeyOptions, work: (keys: StoredKeyCommands) => Promise<T>): Promise<T> =>
  withStoredKeys(readGiven(envFiles), work)

/** Whether the settings name a Redis, and the command is not about a file alone. */
const hasRedis = ({ file, envFiles }: KeyOptions): boolean => {
  if (file !== undefined) return false
  const { REDIS_URL: url, REDIS_URL_FILE: inFile } = readGiven(envFiles)
  return Boolean(url || inFile)
}

const tell =
  ({ json }: KeyOptions, ...more: readonly string[]) =>
  ({ key, ...rest }: ToldKey): Promise<void> =>
    json ? say(JSON.stringify({ key, ...rest })) : say(`For the backend, shown once:\n  ${key}`, ...more)

const createInRedis = async (name: string, patterns: string, options: KeyOptions): Promise<void> => {
  beHeard()
  const source = sourceOf(options)
  if (parseApiKeys(await listTextOf(source)).entries.has(name))
    throw new Error(`${placeOf(source)} has a key ${name} already. Take another name, or revoke that one first.`)
  await inRedis(options, (keys) =>
    keys.create(name, patterns, options, tell(options, 'Stored in Redis. Every node knows it by now.')),
  )
}

const rotate = async (name: string, overlapMs: number, options: KeyOptions): Promise<void> => {
  beHeard()
  const until = new Date(Date.now() + overlapMs).toISOString()
  const former = overlapMs === 0 ? 'The former one is dead.' : `The former one stays good until ${until}.`
  await inRedis(options, (keys) => keys.rotate(name, overlapMs, tell(options, former)))
}

const dayOf = (time: string | undefined): string => time?.slice(0, 16).replace('T', ' ') ?? '-'
const COLUMNS: Readonly<Record<string, (key: ListedKey) => string>> = {
  NAME: ({ name }) => name,
  KEPT: ({ source }) => source,
  EXPIRES: ({ expiresAt }) => dayOf(expiresAt),
  'FIRST USED': ({ firstUsedAt }) => dayOf(firstUsedAt),
  'LAST USED': ({ lastUsedAt }) => dayOf(lastUsedAt),
  MAY: ({ may, unreadable }) =>
    unreadable
      ? 'nothing: SAOMA_SECRET does not open it'
      : may.length === channelActs.length
        ? 'all'
        : may.join() || '-',
  SCOPES: ({ scopes }) => scopes.join() || '-',
  CHANNELS: ({ channels }) => channels.join() || '-',
}

const tableOf = (keys: readonly ListedKey[]): string[] => {
  const rows = [Object.keys(COLUMNS), ...keys.map((key) => Object.values(COLUMNS).map((read) => read(key)))]
  const widths = Object.keys(COLUMNS).map((_, i) => Math.max(...rows.map((row) => row[i]?.length ?? 0)))
  return rows.map((row) =>
    row
      .map((text, i) => text.padEnd(widths[i] ?? 0))
      .join('  ')
      .trimEnd(),
  )
}

/** Both sources. Resolves with whether the list has no problem. Times are in UTC. */
const listAll = async (options: KeyOptions): Promise<boolean> => {
  const source = options.redis ? { text: '' } : sourceOf(options)
  const { entries, problems } = parseApiKeys(await listTextOf(source))
  const ofFile = [...entries.values()].map(({ backend }) => backend)
  const keys = await inRedis(options, (stored) => stored.list(ofFile)).catch((error: unknown) => {
    // The lines of a file can be read without Redis.
    if (options.redis) throw error
    warn(`The keys in Redis are missing here: ${(error as Error).message}`)
    return undefined
  })
  if (!keys) {
    await list(options)
    return false
  }
  const shown = keys.map((key) => {
    const entry = key.source === 'file' ? entries.get(key.name) : undefined
    return entry ? { ...key, sha256: entry.sha256.toString('hex').slice(0, SHOWN_DIGITS) } : key
  })
  if (options.json)
    await say(JSON.stringify({ ...('file' in source ? { file: source.file } : {}), keys: shown, problems }))
  else if (keys.length === 0) warn('There are no keys.')
  else await say(...tableOf(keys))
  if (problems.length > 0 && !options.json)
    warn(`Nodes do not take ${placeOf(source)} as it is. They keep the keys that they read before:${asLines(problems)}`)
  return problems.length === 0
}

const create = async (name: string, patterns: string, options: KeyOptions): Promise<void> => {
  beHeard()
  const source = sourceOf(options)
  const { secret: key, sha256 } = drawKey(name)
  const line = [name, sha256, patterns, ...(options.scopes ? [options.scopes.join()] : [])].join(' ')
  const added = { name, line, place: placeOf(source) }
  const isNew = 'file' in source && (await changeKeyFile(source.file, (text) => withKey(text, added)))
  if (!('file' in source)) withKey(source.text, added)
  const where = 'file' in source ? { file: source.file } : { line }
  const told = options.json
    ? [JSON.stringify({ name, key, channels: patterns.split(','), ...scopesOf(options), ...where })]
    : [
        `For the backend, shown once:\n  ${key}`,
        'file' in source
          ? `Added to ${source.file}. Nodes that have this file take the key within 2 seconds.`
          : `For SAOMA_API_KEYS, or a line of the file it names:\n  ${line}`,
      ]
  try {
    await say(...told)
  } catch (error) {
    // A key that nobody knows must not stay good.
    if ('file' in source)
      await changeKeyFile(source.file, (text) => (text.includes(line) ? withoutName(text, name) : undefined))
    throw new Error(`The key cannot be printed (${(error as NodeJS.ErrnoException).code}). So none was made.`)
  }
  if (isNew && 'file' in source) warn(aboutNew(source.file))
}

/** Resolves with whether the list has no problem. */
const list = async (options: KeyOptions): Promise<boolean> => {
  const source = sourceOf(options)
  const { entries, problems } = parseApiKeys(await listTextOf(source))
  const keys = [...entries].map(([name, { sha256, backend }]) => ({
    name,
    channels: backend.channels,
    sha256: sha256.toString('hex').slice(0, SHOWN_DIGITS),
  }))
  if (options.json) await say(JSON.stringify({ ...('file' in source ? { file: source.file } : {}), keys, problems }))
  else if (keys.length === 0) warn(`${placeOf(source)} has no keys.`)
  else {
    const width = Math.max('NAME'.length, ...keys.map(({ name }) => name.length))
    await say(
      `${'NAME'.padEnd(width)}  SHA-256   CHANNELS`,
      ...keys.map(({ name, sha256, channels }) => `${name.padEnd(width)}  ${sha256}  ${channels.join(',')}`),
    )
  }
  if (problems.length > 0 && !options.json)
    warn(`Nodes do not take ${placeOf(source)} as it is. They keep the keys that they read before:${asLines(problems)}`)
  return problems.length === 0
}

const revoke = async (name: string, options: KeyOptions): Promise<boolean> => {
  const source = sourceOf(options)
  const missing = new Error(`${placeOf(source)} has no key ${name}.`)
  if (!('file' in source)) {
    if (withoutName(source.text, name) === undefined) throw missing
    throw new Error(
      `The key ${name} is in the setting SAOMA_API_KEYS itself. Take it out there, and restart the nodes.`,
    )
  }
  let problems: readonly string[] = []
  await changeKeyFile(source.file, (text) => {
    const shorter = withoutName(text, name)
    if (shorter === undefined) throw missing
    problems = parseApiKeys(shorter).problems
    return shorter
  })
  if (problems.length > 0) {
    warn(
      `The key ${name} was removed from ${source.file}, but is still good: nodes do not take the file.${asLines(problems)}`,
    )
    return false
  }
  await say(
    `Removed from ${source.file}. Nodes that have this file notice within 2 seconds, and end the connections of the key.`,
  )
  return true
}

/** The command holds no keys, so it cannot tell a key that Redis has lost from one that never was. */
const IF_LOST =
  'If Redis has just lost data, nodes put their keys back within ten seconds: then try again. If it is full, ask a node: DELETE /v1/admin/keys/{name}.'

/** Takes a key out of Redis, and out of the file if it is there too. */
const revokeAll = async (name: string, options: KeyOptions): Promise<boolean> => {
  const isInFile = !options.redis && withoutName(await listTextOf(sourceOf(options)), name) !== undefined
  const wasStored = await inRedis(options, (keys) => keys.revoke(name)).catch((error: unknown) => {
    // The line of a file can be taken out without Redis.
    if (!isInFile) throw error
    warn(`Whether Redis has a key ${name} too is not known: ${(error as Error).message}`)
    return undefined
  })
  if (wasStored) await say('Removed from Redis. Every node has been told, and ends the connections of the key.')
  if (isInFile) return (await revoke(name, options)) && wasStored !== undefined
  if (wasStored) return true
  const none = options.redis
    ? `Redis has no key ${name}.`
    : `Neither ${placeOf(sourceOf(options))} nor Redis has a key ${name}.`
  throw new Error(`${none} ${IF_LOST}`)
}

const run = async (command: KeyCommand, options: KeyOptions): Promise<boolean> => {
  const isStored = options.redis || hasRedis(options)
  if (command.kind === 'list') return isStored ? listAll(options) : list(options)
  if (command.kind === 'revoke') return isStored ? revokeAll(command.name, options) : revoke(command.name, options)
  if (command.kind === 'rotate') await rotate(command.name, command.overlapMs, options)
  else await (options.redis ? createInRedis : create)(command.name, command.patterns, options)
  return true
}

// Each write tells of its error itself.
process.stdout.on('error', () => {})

const asked = readKeyCommand(process.argv.slice(2))
await endCommand(asked, USAGE, async () =>
  asked.kind === 'command' && (await run(asked.command, asked.options)) ? 0 : FAILED,
)
