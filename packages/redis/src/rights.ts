import type { Redis } from 'ioredis'
import { COMMAND_TIMEOUT_MS, type Connection } from './connection.ts'
import type { RedisClients } from './redis.ts'
import { guardHandshake } from './refused.ts'
import { isForbidden } from './replies.ts'
import { mastersOf, problemsIn, refusedBy, whereOf } from './requirements.ts'
import { wrapSend } from './send.ts'
import { triedCommands } from './trials.ts'

export interface RightsOptions {
  /** Milliseconds between two checks. They are more frequent while a right is missing. */
  everyMs: number
  againMs: number
  /**
   * Called after each check with the missing rights and the command that restores them, or with undefined
   * when no right is missing.
   */
  onLook: (missing: Error | undefined) => void
}

const tried = new Set(triedCommands.map((command) => command.toLowerCase()))

/**
 * Calls `tell` for each command that is refused to this user, but only for commands that a node needs. It can
 * do without others, such as INFO.
 */
const onForbidden = (connection: Connection, tell: () => void): void =>
  wrapSend(connection, (send) => (command, ...others) => {
    command.promise.catch((error: unknown) => {
      if (error instanceof Error && isForbidden(error.message) && tried.has(command.name)) tell()
    })
    return send(command, ...others)
  })

/**
 * Runs on a separate connection: no other command may run inside the trial's transaction, and the product's
 * commands need not wait for the trials.
 */
const apart = async <T>(master: Redis, work: (connection: Redis) => Promise<T>): Promise<T> => {
  const connection = master.duplicate({
    commandTimeout: COMMAND_TIMEOUT_MS,
    lazyConnect: true,
    retryStrategy: () => null,
    enableOfflineQueue: true,
    enableReadyCheck: false,
  })
  guardHandshake(connection, () => {})
  try {
    return await work(connection)
  } finally {
    connection.disconnect()
  }
}

/**
 * Checks repeatedly whether the node's user still has all rights that the node needs. The beat uses only a
 * few commands; without this check a node could lack another right, serve errors and look healthy. It checks
 * at intervals, and at once when a command of the product is refused.
 */
export const watchRights = (
  redis: Pick<RedisClients, 'data' | 'pub' | 'keys' | 'asksReplicas'>,
  { everyMs, againMs, onLook }: RightsOptions,
) => {
  let timer: NodeJS.Timeout | undefined
  let nextAt = Number.POSITIVE_INFINITY
  let lookedAt = Number.NEGATIVE_INFINITY
  let isMissing = false
  let isClosed = false

  const problemsNow = async (): Promise<string[]> => {
    const problems: string[] = []
    for (const master of mastersOf(redis.data)) {
      const failures = await apart(master, (connection) => refusedBy(redis, master, connection))
      const forbidden = failures.filter(({ message }) => isForbidden(message))
      problems.push(...problemsIn(forbidden, whereOf(master), master.options.username ?? 'default', redis.keys.prefix))
    }
    return problems
  }

  const look = async (): Promise<void> => {
    nextAt = Number.NEGATIVE_INFINITY
    try {
      const problems = await problemsNow()
      isMissing = problems.length > 0
      if (!isClosed) onLook(isMissing ? new Error(problems.join('\n')) : undefined)
    } catch {
      // Redis is unavailable, which the beat reports. Keep the last known state.
    }
    lookedAt = performance.now()
    nextAt = Number.POSITIVE_INFINITY
    lookWithin(isMissing ? againMs : everyMs)
  }

  const lookWithin = (ms: number): void => {
    const at = performance.now() + ms
    if (isClosed || at >= nextAt) return
    nextAt = at
    clearTimeout(timer)
    timer = setTimeout(() => void look(), ms).unref()
  }

  for (const connection of [redis.data, redis.pub])
    onForbidden(connection, () => lookWithin(Math.max(0, lookedAt + againMs - performance.now())))
  lookWithin(everyMs)

  return {
    close: (): void => {
      isClosed = true
      clearTimeout(timer)
    },
  }
}
