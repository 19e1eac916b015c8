import { createHash, randomBytes } from 'node:crypto'
import { fstatSync, statSync } from 'node:fs'
import { userInfo } from 'node:os'
import { resolve } from 'node:path'
import { givenIn } from '@saoma/protocol'
import { API_KEY_PREFIX, parseApiKeys } from '../access/api-keys.ts'
import { readSettingFiles } from '../config/setting-files.ts'
import { endCommand, FAILED } from './command-end.ts'
import { readGiven } from './given.ts'
import { changeKeyFile, readKeyFile } from './key-file.ts'
import { withLine, withoutName } from './key-lines.ts'
import { type KeyCommand, type KeyOptions, readKeyCommand, USAGE } from './read-key-command.ts'

/*
 * Creates, lists and revokes the API keys of backends:
 *
 *   saoma key create shop 'room:*,user:*'
 *   saoma key list
 *   saoma key revoke shop
 *
 * In the image: node apps/gateway/src/bin/key.ts. Exit status: 0 on success, 1 on failure, 2 if the command
 * line is wrong or names a file that cannot be read.
 */

const KEY_BYTES = 32
/** As many digits of a hash as a person compares. */
const SHOWN_DIGITS = 8

/** Where the keys are: in a file, or in the setting itself. */
type Source = { file: string } | { text: string }

/** Resolves when the lines are written. Rejects if nobody reads them. */
const say = (...lines: readonly string[]): Promise<void> =>
  new Promise((done, fail) => {
    process.stdout.write(`${lines.join('\n')}\n`, (error) => (error ? fail(error) : done()))
  })
const warn = (line: string): void => void process.stderr.write(`${line}\n`)

const sourceOf = ({ file, envFiles }: KeyOptions): Source => {
  if (file !== undefined) return { file: resolve(file) }
  const { given, problems } = readSettingFiles(givenIn(readGiven(envFiles)), ['SAOMA_API_KEYS'])
  for (const problem of problems.values()) throw new Error(problem)
  const { SAOMA_API_KEYS: keys = '' } = given
  return /^[/.]/.test(keys) ? { file: resolve(keys) } : { text: keys }
}

const textOf = async (source: Source): Promise<string> => ('file' in source ? readKeyFile(source.file) : source.text)
const placeOf = (source: Source): string => ('file' in source ? source.file : 'SAOMA_API_KEYS')
const listOf = (problems: readonly string[]): string => problems.map((problem) => `\n  ${problem}`).join('')

/** The text with one more key. Throws an error for the user if nodes would not take it. */
const withKey = (text: string, { name, line, place }: { name: string; line: string; place: string }): string => {
  if (parseApiKeys(text).entries.has(name))
    throw new Error(`${place} has a key ${name} already. Take another name, or revoke that one first.`)
  const longer = withLine(text, line)
  const { problems } = parseApiKeys(longer)
  if (problems.length > 0)
    throw new Error(`Nodes would not take the new key, because ${place} has problems:${listOf(problems)}`)
  return longer
}

/** Whether what is printed is lost for certain: Node opens /dev/null in place of an output that is closed. */
const isUnheard = (): boolean => {
  const [output, nowhere] = [fstatSync(process.stdout.fd), statSync('/dev/null')]
  return output.isCharacterDevice() && output.rdev === nowhere.rdev
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

const create = async (name: string, patterns: string, options: KeyOptions): Promise<void> => {
  if (isUnheard())
    throw new Error('Nobody would see the key: standard output is closed, or /dev/null. So none was made.')
  const source = sourceOf(options)
  const key = `${API_KEY_PREFIX}${name}_${randomBytes(KEY_BYTES).toString('base64url')}`
  const line = `${name} ${createHash('sha256').update(key).digest('hex')} ${patterns}`
  const added = { name, line, place: placeOf(source) }
  const isNew = 'file' in source && (await changeKeyFile(source.file, (text) => withKey(text, added)))
  if (!('file' in source)) withKey(source.text, added)
  const where = 'file' in source ? { file: source.file } : { line }
  const told = options.json
    ? [JSON.stringify({ name, key, channels: patterns.split(','), ...where })]
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
  const { entries, problems } = parseApiKeys(await textOf(source))
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
    warn(`Nodes do not take ${placeOf(source)} as it is. They keep the keys that they read before:${listOf(problems)}`)
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
      `The key ${name} was removed from ${source.file}, but is still good: nodes do not take the file.${listOf(problems)}`,
    )
    return false
  }
  await say(
    `Removed from ${source.file}. Nodes that have this file notice within 2 seconds, and end the connections of the key.`,
  )
  return true
}

const run = async (command: KeyCommand, options: KeyOptions): Promise<boolean> => {
  if (command.kind === 'list') return list(options)
  if (command.kind === 'revoke') return revoke(command.name, options)
  await create(command.name, command.patterns, options)
  return true
}

// Each write tells of its error itself.
process.stdout.on('error', () => {})

const asked = readKeyCommand(process.argv.slice(2))
await endCommand(asked, USAGE, async () =>
  asked.kind === 'command' && (await run(asked.command, asked.options)) ? 0 : FAILED,
)
