import { tracingChannel } from 'node:diagnostics_channel'
import { readFileSync } from 'node:fs'
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
  /** Whose it is and its name, as `tickets confirm`; no keys and no arguments. */
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

/** Binds a Lua file to a typed function. */
type DefineScript = <K extends readonly string[], A extends readonly (string | number)[], R>(
  name: string,
  numberOfKeys: K['length'],
  parse: (raw: unknown) => R,
  flags?: ScriptFlags,
) => Script<K, A, R>

/**
 * The scripts of one package. ioredis sends the hash of one and falls back to the text when Redis does not
 * know it yet.
 *
 * - `name`: of the Lua file, without `.lua`
 * - `numberOfKeys`: how many of the parameters are KEYS
 * - `parse`: turns the raw reply into R, or throws
 * - `flags`: what Redis is told of the script in its first line
 *
 * @param owner  whose they are, for traces and for the names of the commands
 * @param folder  URL of the folder of the Lua files
 * @param library  name of a file that holds local functions for all of them
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

    return async (connection, keys, args) => {
      const run = bound.get(connection) ?? bind(connection)
      const answer = async () => parse(await orUnavailable(run.call(connection, ...keys, ...args)))
      return runs.hasSubscribers ? runs.tracePromise(answer, { script }) : answer()
    }
  }
}

/** Those of this package. */
export const script: DefineScript = scriptsIn('redis', new URL('../lua/', import.meta.url))
