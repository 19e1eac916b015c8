import { createAudit } from '@saoma/audit'
import type { RedisClients } from '@saoma/redis'
import { readConfig } from '../config/config.ts'
import type { HowToEnd } from '../login/end-person.ts'
import { endCommand, FAILED } from './command-end.ts'
import { forOperator, openCommandRedis } from './command-redis.ts'
import { readGiven } from './given.ts'
import { openEnding } from './open-ending.ts'
import { readSessionsCommand, USAGE } from './read-sessions-command.ts'

/*
 * Ends the sessions of a person. It reads the settings of a node from the environment and from files:
 *
 *   saoma sessions end <id> [--sid <sid> | --keep <sid>] [--reason <text>]
 *
 * It writes to Redis as a node does (D102). In the image: node apps/gateway/src/bin/sessions.ts. Exit status:
 * 0 on success, 1 on failure, 2 if the command line is wrong.
 */

const end = async (user: string, how: HowToEnd, envFiles: readonly string[]): Promise<number> => {
  const config = readConfig(readGiven(envFiles))
  const { redisChannelsUrl: url, replicas } = config
  const redis = await openCommandRedis('sessions', config, { replicas })
  let apart: RedisClients | undefined
  try {
    if (url) apart = await openCommandRedis('sessions', config, { url, replicas })
    const audit = createAudit(redis, { ...config.audit, node: 'command', secrets: config.secrets })
    const ending = openEnding(redis, apart, config, audit)
    try {
      const ended = await ending.endPerson(user, { by: 'operator' }, how)
      process.stdout.write(
        `${ended} ${ended === 1 ? 'session has' : 'sessions have'} ended. Every node has been told to close the sockets.\n`,
      )
      return 0
    } finally {
      ending.close()
      await audit.close()
    }
  } catch (error) {
    throw forOperator(error, config.redisUrl, 'Part of it may be done: run the command again.')
  } finally {
    await Promise.all([redis.close(), apart?.close()])
  }
}

const asked = readSessionsCommand(process.argv.slice(2))
await endCommand(asked, USAGE, async () => ('user' in asked ? end(asked.user, asked.how, asked.envFiles) : FAILED))
