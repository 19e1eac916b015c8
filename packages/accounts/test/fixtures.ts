import { randomUUID } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { createRedis, mastersOf, type RedisClients, type RedisOptions, RedisUnavailable } from '@saoma/redis'
import { onCleanup } from '@saoma/testing'
import { type Accounts, type AccountsOptions, createAccounts, openAccountKeys } from '../src/index.ts'

export const SECRET = 'a secret of at least thirty-two characters'

/** One node's clients and accounts, closed at the end of the file. */
export interface Node {
  redis: RedisClients
  accounts: Accounts
}

export const uniquePrefix = () => `test-${randomUUID()}`

export const openRedis = async (url: string, prefix: string, options: Partial<RedisOptions> = {}) => {
  const redis = await createRedis({ url, prefix, probeMs: 0, ...options })
  onCleanup(() => redis.close())
  return redis
}

export const openNode = async (
  url: string,
  prefix: string,
  options: AccountsOptions = {},
  redisOptions: Partial<RedisOptions> = {},
): Promise<Node> => {
  const redis = await openRedis(url, prefix, redisOptions)
  const keys = await openAccountKeys(redis, { secrets: [SECRET] })
  onCleanup(() => keys.close())
  return { redis, accounts: createAccounts(redis, keys, options) }
}

let people = 0
export const somebody = (union?: string) => ({
  provider: 'wechat' as const,
  app: 'wx1',
  id: `oPerson${++people}`,
  ...(union ? { union } : {}),
})

/** The account of somebody who is admitted. */
export const subOf = (met: Awaited<ReturnType<Accounts['of']>>): string => {
  if (!met.allow) throw new Error(`not admitted: ${met.why}`)
  return met.sub
}

/** Names of all keys. */
export const keysOf = async ({ data, keys }: RedisClients): Promise<string[]> => {
  const found = await Promise.all(mastersOf(data).map((master) => master.keys(`${keys.prefix}:*`)))
  return [...new Set(found.flat())].sort()
}

/** Everything that Redis holds, as text. */
export const contentsOf = async (redis: RedisClients): Promise<string> => {
  const names = await keysOf(redis)
  const values = await Promise.all(
    names.map(async (name) =>
      name.includes(':account:') ? redis.data.hgetall(name) : redis.data.get(name).catch(() => ''),
    ),
  )
  return JSON.stringify([names, values])
}

/** What is wrong: links that lead nowhere, and accounts for good that no identity leads to. */
export const halves = async ({ redis, accounts }: Node): Promise<string[]> => {
  const wrong: string[] = []
  for (const name of await keysOf(redis)) {
    if (/:account-(link|of):/.test(name)) {
      const sub = await redis.data.get(name)
      const account = sub === null ? undefined : await accounts.find(sub)
      if (sub !== null && (!account || (await redis.data.pttl(redis.keys.account(sub))) !== -1))
        wrong.push(`${name} leads to ${account ? 'what will go' : 'nothing'}`)
    }
    const [, sub] = /:account:\{(.+)\}$/.exec(name) ?? []
    if (sub && (await redis.data.pttl(name)) === -1 && (await accounts.identities(sub)).length === 0)
      wrong.push(`${sub} has no identity`)
  }
  return wrong
}

const AGAIN_MS = 50

/** Repeats a call until Redis is there, as a phone does after 503. */
export const insist = async <T>(act: () => Promise<T>, onRepeat = () => {}): Promise<T> => {
  for (;;) {
    try {
      return await act()
    } catch (error) {
      if (!(error instanceof RedisUnavailable)) throw error
      onRepeat()
      await delay(AGAIN_MS)
    }
  }
}

/** Lets this many commands of a connection through, and then none: the node has died. */
export const dieAfter = (redis: RedisClients, commands: number): { isDead(): boolean } => {
  let left = commands
  const { data } = redis
  const send = data.sendCommand.bind(data) as (...args: unknown[]) => unknown
  Object.assign(data, {
    sendCommand: (...args: unknown[]) => {
      if (left-- > 0) return send(...args)
      const [command] = args as [{ reject(error: Error): void; promise: Promise<unknown> }]
      command.reject(new Error('Connection is closed.'))
      return command.promise
    },
  })
  return { isDead: () => left < 0 }
}

/** Holds one command of a connection until `act` is done. Tells whether that command has come. */
export const beforeCommand = (redis: RedisClients, number: number, act: () => Promise<void>): (() => boolean) => {
  let sent = 0
  const { data } = redis
  const send = data.sendCommand.bind(data) as (...args: unknown[]) => unknown
  Object.assign(data, {
    sendCommand: (...args: unknown[]) => {
      if (++sent !== number) return send(...args)
      const [command] = args as [{ reject(error: unknown): void; promise: Promise<unknown> }]
      act().then(() => send(...args), command.reject)
      return command.promise
    },
  })
  return () => sent >= number
}
