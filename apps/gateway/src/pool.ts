import { createRedis, RedisUnavailable } from '@saoma/redis'
import { createBudget, createWechat } from '@saoma/wechat'
import { openPool, openStore } from './codes/open-pool.ts'
import { createPoolCommands } from './codes/pool-commands.ts'
import { type PoolCommand, readPoolCommand, USAGE } from './codes/read-pool-command.ts'
import { type Config, ConfigError, readConfig } from './config.ts'

/*
 * The pool of codes by hand, with the settings of a node in the environment:
 *
 *   node scripts/bootstrap.mjs apps/gateway/src/pool.ts fill 500
 *   node scripts/bootstrap.mjs apps/gateway/src/pool.ts list
 *   node scripts/bootstrap.mjs apps/gateway/src/pool.ts check [--repair]
 *   node scripts/bootstrap.mjs apps/gateway/src/pool.ts retire <scene>… | --all
 *
 * Ends with 0 when all is well, 1 when something is wrong, 130 when it was interrupted.
 */

/** @throws ConfigError */
const readPoolConfig = () => {
  const config: Config = readConfig(process.env)
  const { wechat, pool } = config
  if (!wechat || !pool)
    throw new ConfigError([
      ...(wechat ? [] : ['WECHAT_APPID and WECHAT_SECRET are needed: a pool belongs to a mini-program']),
      ...(pool ? [] : ['SAOMA_POOL_STORE is needed: where the pictures lie']),
    ])
  return { ...config, wechat, pool }
}

const run = async (command: PoolCommand): Promise<void> => {
  const config = readPoolConfig()
  const interrupted = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => interrupted.abort())
  const redis = await createRedis({ url: config.redisUrl, prefix: config.redisPrefix, name: 'saoma-pool', probeMs: 0 })
  const wechat = createWechat(redis, config.wechat)
  const store = openStore(config.pool)
  try {
    const commands = createPoolCommands({
      pool: openPool(redis, config),
      store,
      wechat,
      budget: createBudget(redis, config.wechat.appid),
      say: (line) => process.stdout.write(`${line}\n`),
      signal: interrupted.signal,
    })
    const isGood = await command(commands, config.pool)
    process.exitCode = interrupted.signal.aborted ? 130 : isGood ? 0 : 1
  } finally {
    store.close()
    wechat.close()
    await redis.close()
  }
}

// A reader such as `head` has had enough: what is not read need not be written.
process.stdout.on('error', ({ code }: NodeJS.ErrnoException) => process.exit(code === 'EPIPE' ? 0 : 1))

const command = readPoolCommand(process.argv.slice(2))
if (!command) {
  process.stderr.write(USAGE)
  process.exitCode = 1
} else {
  run(command).catch((error: unknown) => {
    const { message = error, cause } = Object(error) as Error
    const why = error instanceof RedisUnavailable && cause instanceof Error ? ` (${cause.message})` : ''
    process.stderr.write(`${message}${why}\n`)
    process.exitCode = 1
  })
}
