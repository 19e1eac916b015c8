import { tracingChannel } from 'node:diagnostics_channel'
import { readFileSync } from 'node:fs'
import { type Connection, orUnavailable } from './connection.ts'

/**
 * Runs a Lua script with the keys and arguments that its header lists. Rejects with RedisUnavailable when
 * Redis is unavailable.
 */
export type Script<K extends readonly string[], A extends readonly (string | number)[], R> = (
  connection: Connection,
  keys: K,
  args: A,
) => Promise<R>

/**
 * What the diagnostics channel `saoma:script` reports of each run, for traces. It costs nothing without a
 * subscriber.
 */
export interface ScriptRun {
  /** Owner and name, such as `tickets confirm`, without keys and arguments. */
  script: string
}

const runs = tracingChannel<ScriptRun>('saoma:script')

export interface ScriptFlags {
  /**
   * Also runs when Redis is full (`maxmemory`). There Redis refuses every other script at its first command
   * that may need memory. Use it only for scripts that free memory, and for heartbeats whose small writes are
   * bounded by what is there. Such a script may touch only keys in the slot of its KEYS.
   */
  allowOom?: boolean
  /**
   * Never runs when Redis is full. Without this flag, Redis refuses the script at its first command that may
   * need memory, unless the script has written before. A command that changes or ends a key's TTL needs no
   * memory, and after it Redis refuses nothing in this run.
   */
  neverWhenFull?: boolean
}

type Command = (...args: (string | number)[]) => Promise<unknown>

/** Binds a Lua file to a typed function. */
type DefineScript = <K extends readonly string[], A extends readonly (string | number)[], R>(
  name: string,
  numberOfKeys: K['length'],
  parse: (raw: unknown) => R,
  flags?: ScriptFlags,
) => Script<K, A, R>

/**
 * The scripts of one package. ioredis sends a script's hash, and its text if Redis does not know it yet.
 *
 * - `name`: the Lua file's name without `.lua`
 * - `numberOfKeys`: how many of the parameters are KEYS
 * - `parse`: turns the raw reply into R, or throws
 * - `flags`: the script's flags in its first line
 *
 * @param owner  the package, for traces and for the names of the commands
 * @param folder  URL of the folder of the Lua files
 * @param library  name of a file with local functions that all scripts share
 */
export const scriptsIn = (owner: string, folder: URL, library?: string): DefineScript => {
  const read = (name: string): string => readFileSync(new URL(`${name}.lua`, folder), 'utf8')

  return (name, numberOfKeys, parse, { allowOom = false, neverWhenFull = false } = {}) => {
    const script = `${owner} ${name}`
    const command = `saoma:${owner}:${name}${allowOom ? ':when-full' : ''}`
    const text = [...(library === undefined ? [] : [library]), name].map(read).join('\n')
    const lua = allowOom ? `#!lua flags=allow-oom\n${text}` : neverWhenFull ? `#!lua\n${text}` : text
    const bound = new WeakMap<Connection, Command>()

    const bind = (connection: Connection): Command => {
      connection.defineCommand(command, { numberOfKeys, lua })
      const run = (connection as unknown as Record<string, Command>)[command]
      if (!run) throw new TypeError(`${command} is not a command`)
      bound.set(connection, run)
      return run
    }

    return (connection, keys, args) => {
      const run = bound.get(connection) ?? bind(connection)
      const answer = () => orUnavailable(run.call(connection, ...keys, ...args)).then(parse)
      return runs.hasSubscribers ? runs.tracePromise(answer, { script }) : answer()
    }
  }
}

/** The scripts of this package. */
export const script: DefineScript = scriptsIn('redis', new URL('../lua/', import.meta.url))
