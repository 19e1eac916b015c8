import type { Redis } from 'ioredis'
import { COMMAND_TIMEOUT_MS } from './connection.ts'
import type { Keys } from './keys.ts'

/** TTL of the keys that a trial leaves behind. */
const KEY_MS = '10000'

/**
 * Every command that the product sends, alone or in a script, in a harmless form. The word after the command
 * is the type of the key. A test compares this list with the scripts.
 */
const TRIALS: readonly string[] = [
  `SET string 1 PX ${KEY_MS}`,
  'APPEND string 1',
  'GET string',
  'GETRANGE string 0 0',
  'STRLEN string',
  'MGET string',
  'INCR string',
  'INCRBY string 1',
  'EXISTS string',
  'EXPIRE string 10',
  'EXPIREAT string 9999999999',
  'PEXPIREAT string 9999999999999',
  `PEXPIRE string ${KEY_MS}`,
  'PTTL string',
  // This removes the TTL.
  'PERSIST string',
  `PEXPIRE string ${KEY_MS}`,
  'HSET hash a 1',
  `PEXPIRE hash ${KEY_MS}`,
  'HSETNX hash a 1',
  'HGET hash a',
  'HMGET hash a',
  'HGETALL hash',
  'HEXISTS hash a',
  'HKEYS hash',
  'HINCRBY hash a 1',
  'HLEN hash',
  'HRANDFIELD hash',
  'HDEL hash b',
  'SADD set a b',
  // This removes the TTL of the set.
  'SUNIONSTORE set set',
  `PEXPIRE set ${KEY_MS}`,
  'SCARD set',
  'SMEMBERS set',
  'SREM set c',
  'SPOP set',
  'ZADD sorted-set 1 a',
  `PEXPIRE sorted-set ${KEY_MS}`,
  'ZCARD sorted-set',
  'ZCOUNT sorted-set 0 1',
  'ZRANGE sorted-set 0 1',
  'ZRANGEBYSCORE sorted-set 0 1',
  'ZSCORE sorted-set a',
  'ZREM sorted-set b',
  'ZREMRANGEBYSCORE sorted-set 2 3',
  'XADD stream 1-0 a 1',
  `PEXPIRE stream ${KEY_MS}`,
  'XRANGE stream - +',
  'XREVRANGE stream + -',
  'XLEN stream',
  'XTRIM stream MAXLEN 1',
  'XDEL stream 9-0',
  'DEL string',
  'UNLINK hash',
  'TIME',
]
/** Commands with more than one key. All their keys have the same type. */
const MANY_KEYS = ['SUNIONSTORE']
/** Errors that prove the right: no such script, or no open transaction. */
const MEANS_YES = /^NOSCRIPT|without MULTI$/
/** The hash of no script. */
const NO_SCRIPT = '0'.repeat(40)

export const triedCommands: readonly string[] = [
  ...new Set(TRIALS.map((trial) => trial.split(' ')[0] ?? '')),
  ...['SCAN', 'EVAL', 'EVALSHA', 'MULTI', 'EXEC', 'DISCARD', 'SPUBLISH', 'SSUBSCRIBE', 'SUNSUBSCRIBE', 'WAIT'],
]

/** A command that a server refused, and the error message. */
export interface Failure {
  command: string
  message: string
}

/**
 * Runs what the product does on a server, with keys of the prefix. Resolves with the commands that the server
 * refused. Rejects when the server is unavailable.
 *
 * @param tag  hash tag of a slot that the server has
 * @param ask  resolves with the message of a permanent error, else with undefined
 */
export const tryOut = async (
  server: Redis,
  keys: Keys,
  tag: string,
  replicas: boolean,
  ask: (pending: Promise<unknown>) => Promise<string | undefined>,
): Promise<Failure[]> => {
  const failures: Failure[] = []
  const attempt = async (command: string, pending: () => Promise<unknown>) => {
    const message = await ask(pending())
    if (message !== undefined && !MEANS_YES.test(message)) failures.push({ command, message })
  }
  const call = (command: string, ...args: string[]) => attempt(command, () => server.call(command, ...args))
  // In one batch, in this order.
  await Promise.all(
    TRIALS.map((trial) => {
      const [command = '', type, ...args] = trial.split(' ')
      if (type === undefined) return call(command)
      const key = keys.trial(tag, type)
      return call(command, key, ...(MANY_KEYS.includes(command) ? args.map((one) => keys.trial(tag, one)) : args))
    }),
  )
  const key = keys.trial(tag, 'string')
  const channel = keys.beatChannel(tag)
  await call('SCAN', '0', 'MATCH', key, 'COUNT', '1')
  await call('EVAL', 'return 1', '1', key)
  await call('EVALSHA', NO_SCRIPT, '1', key)
  await call('SPUBLISH', channel, '')
  if (replicas) await call('WAIT', '0', '1')
  // In one turn, so that no other command enters the transaction. DISCARD ends it if EXEC was refused.
  await Promise.all([call('MULTI'), call('EXEC'), call('DISCARD')])
  // A connection in subscriber mode takes no other commands.
  const listener = server.duplicate({
    commandTimeout: COMMAND_TIMEOUT_MS,
    lazyConnect: true,
    retryStrategy: () => null,
    enableOfflineQueue: true,
    enableReadyCheck: false,
  })
  listener.on('error', () => {})
  try {
    await attempt('SSUBSCRIBE', () => listener.ssubscribe(channel))
    await attempt('SUNSUBSCRIBE', () => listener.sunsubscribe(channel))
  } finally {
    listener.disconnect()
  }
  // If the user may not delete a key, it expires by itself.
  for (const type of ['set', 'sorted-set', 'stream']) await server.call('DEL', keys.trial(tag, type)).catch(() => {})
  return failures
}
