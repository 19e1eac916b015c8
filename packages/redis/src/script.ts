import { tracingChannel } from 'node:diagnostics_channel'
import { readFileSync } from 'node:fs'
import { basename } from 'node:path'
import { type Connection, orUnavailable } from './connection.ts'

/**
 * Runs a Lua script: keys, then arguments, as its header lists them. Rejects with RedisUnavailable when Redis
 * cannot be asked.
 */
export type Script<K extends readonly string[], A extends readonly (string | number)[], R> = (
  connection: Connection,
  keys: K,
  args: A,
) => Promise<R>

/**
 * What is told of each run on the diagnostics channel `saoma:script`: for traces, and nothing at all while
 * nobody listens.
 */
export interface ScriptRun {
  /** Its name, as `confirm`; no keys and no arguments. */
  script: string
}

const runs = tracingChannel<ScriptRun>('saoma:script')

export interface ScriptFlags {
  /**
   * Runs also when Redis is full (`maxmemory`), where it refuses every other script at its first command that
   * may need memory. For the way out, and for what keeps others from being taken for gone: it frees memory,
   * or writes little that is bounded by what is there. Such a script may touch only keys of the slot of its
   * KEYS.
   */
  allowOom?: boolean
  /**
   * Never runs when Redis is full. Without it such a script is refused at its first command that may need
   * memory, unless it has written before: what lengthens or ends the life of a key needs none, and after that
   * Redis refuses nothing any more.
   */
  neverWhenFull?: boolean
}

type Command = (...args: (string | number)[]) => Promise<unknown>

/**
 * Binds Lua files to a typed function. Several files are one script: earlier ones hold local functions for
 * the last, which names the command. ioredis sends the hash and falls back to the text when Redis does not
 * know it yet.
 *
 * @param files  URLs of the Lua files
 * @param numberOfKeys  how many of the parameters are KEYS
 * @param parse  turns the raw reply into R, or throws
 * @param flags  what Redis is told of the script in its first line
 */
export const defineScript = <K extends readonly string[], A extends readonly (string | number)[], R>(
  files: readonly URL[],
  numberOfKeys: K['length'],
  parse: (raw: unknown) => R,
  { allowOom = false, neverWhenFull = false }: ScriptFlags = {},
): Script<K, A, R> => {
  const script = basename(files.at(-1)?.pathname ?? '', '.lua')
  const name = `saoma:${script}${allowOom ? ':when-full' : ''}`
  const text = files.map((file) => readFileSync(file, 'utf8')).join('\n')
  const lua = allowOom ? `#!lua flags=allow-oom\n${text}` : neverWhenFull ? `#!lua\n${text}` : text
  const bound = new WeakMap<Connection, Command>()

  const bind = (connection: Connection): Command => {
    connection.defineCommand(name, { numberOfKeys, lua })
    const command = (connection as unknown as Record<string, Command>)[name]
    if (!command) throw new TypeError(`${name} is not a command`)
    bound.set(connection, command)
    return command
  }

  return async (connection, keys, args) => {
    const command = bound.get(connection) ?? bind(connection)
    const run = async () => parse(await orUnavailable(command.call(connection, ...keys, ...args)))
    return runs.hasSubscribers ? runs.tracePromise(run, { script }) : run()
  }
}
