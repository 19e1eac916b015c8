import { createBudget, createWechat } from '@saoma/wechat'
import { type Config, ConfigError, readConfig } from '../config/config.ts'
import { openPool, openPoolStore } from '../login/qr/open-pool.ts'
import { endAtClosedPipe, endCommand, FAILED, INTERRUPTED } from './command-end.ts'
import { forOperator, openCommandRedis } from './command-redis.ts'
import { readGiven } from './given.ts'
import { createPoolCommands } from './pool-commands.ts'
import { type PoolCommand, readPoolCommand, USAGE } from './read-pool-command.ts'

/*
 * Manages the pool of codes by hand. It reads the settings of a node from the environment and from files:
 *
 *   saoma pool fill 500
 *   saoma pool list
 *   saoma pool check [--repair]
 *   saoma pool retire <scene>… | --all
 *   saoma pool adopt
 *
 * `--help` prints the same. In the image: node apps/gateway/src/bin/pool.ts. Exit status: 0 on success, 1 on
 * failure, 2 if the command line is wrong or names a file that cannot be read, 130 when interrupted.
 */

/** @throws ConfigError */
const readPoolConfig = (envFiles: readonly string[]) => {
  const config: Config = readConfig(readGiven(envFiles))
  const { wechat, pool } = config
  if (!wechat || !pool)
    throw new ConfigError([
      ...(wechat ? [] : ['WECHAT_APPID and WECHAT_SECRET are needed: a pool belongs to a mini-program']),
      ...(pool ? [] : ['SAOMA_POOL_STORE is needed: the place of the pictures']),
    ])
  return { ...config, wechat, pool }
}

const run = async (command: PoolCommand, config: ReturnType<typeof readPoolConfig>): Promise<number> => {
  const interrupted = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => interrupted.abort())
  const redis = await openCommandRedis('pool', config)
  const wechat = createWechat(redis, config.wechat)
  const pool = openPool(redis, config)
  const store = openPoolStore(redis, pool, config)
  try {
    const commands = createPoolCommands({
      pool,
      store,
      wechat,
      budget: createBudget(redis, config.wechat.appid),
      say: (line) => process.stdout.write(`${line}\n`),
      signal: interrupted.signal,
    })
    const isGood = await command(commands, config.pool)
    return interrupted.signal.aborted ? INTERRUPTED : isGood ? 0 : FAILED
  } finally {
    store.close()
    wechat.close()
    await redis.close()
  }
}

const start = async (command: PoolCommand, envFiles: readonly string[]): Promise<number> => {
  const config = readPoolConfig(envFiles)
  try {
    return await run(command, config)
  } catch (error) {
    throw forOperator(error, config.redisUrl)
  }
}

endAtClosedPipe()
const asked = readPoolCommand(process.argv.slice(2))
await endCommand(asked, USAGE, async () => ('run' in asked ? start(asked.run, asked.envFiles) : FAILED))
