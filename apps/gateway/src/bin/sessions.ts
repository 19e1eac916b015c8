import { createAudit } from '@saoma/audit'
import { createEnds } from '@saoma/channels'
import { openSessions } from '@saoma/identity'
import { createRedis, type RedisClients, RedisUnavailable } from '@saoma/redis'
import { REMEMBER_ENDS_MS } from '../access/signed-tokens.ts'
import { type Config, readConfig } from '../config/config.ts'
import { noteEnded } from '../login/audited.ts'
import { createEndPerson, type HowToEnd } from '../login/end-person.ts'
import { unreachable } from '../operate/open-redis.ts'
import { readGiven } from './given.ts'
import { readSessionsCommand, USAGE } from './read-sessions-command.ts'

/*
 * Ends the sessions of a person. It reads the settings of a node from the environment and from files:
 *
 *   saoma sessions end <id> [--sid <sid> | --keep <sid>] [--reason <text>]
 *
 * It writes to Redis as a node does (D102). In the image: node apps/gateway/src/bin/sessions.ts. Exit status:
 * 0 on success, 1 on failure, 2 if the command line is wrong.
 */

/** Short, because a person waits for the command. */
const READY_MS = 5_000

const open = async (config: Config, url: string): Promise<RedisClients> => {
  try {
    return await createRedis({
      url,
      certificates: config.redisCertificates,
      prefix: config.redisPrefix,
      replicas: config.replicas,
      name: 'saoma-sessions',
      probeMs: 0,
      readyTimeoutMs: READY_MS,
    })
  } catch (error) {
    if (!(error instanceof RedisUnavailable)) throw error
    throw new Error(unreachable(error, url), { cause: error })
  }
}

const end = async (user: string, how: HowToEnd, envFiles: readonly string[]): Promise<void> => {
  const config = readConfig(readGiven(envFiles))
  const redis = await open(config, config.redisUrl)
  const apart = config.redisChannelsUrl
    ? await open(config, config.redisChannelsUrl).catch(async (error) => {
        await redis.close()
        throw error
      })
    : undefined
  const channels = createEnds(apart ?? redis)
  const audit = createAudit(redis, { ...config.audit, node: 'command', secrets: config.secrets })
  const { sessions, close } = openSessions(redis, {
    origin: config.origin,
    times: config.times,
    onSessionEnded: ({ sub, sid, ...why }) => {
      noteEnded(audit, { sub, sid })
      return channels.end(sub, sid, why)
    },
  })
  try {
    // The nodes may know JWTs of the business, even if the settings of this shell do not say so.
    const endPerson = createEndPerson({ identity: sessions, channels, audit, keepMs: REMEMBER_ENDS_MS })
    const ended = await endPerson(user, { by: 'operator' }, how)
    process.stdout.write(
      `${ended} ${ended === 1 ? 'session has' : 'sessions have'} ended. Every node has been told to close the sockets.\n`,
    )
  } finally {
    close()
    await audit.close()
    await Promise.all([redis.close(), apart?.close()])
  }
}

const asked = readSessionsCommand(process.argv.slice(2))
if (asked.kind === 'help') {
  process.stdout.write(USAGE)
} else if (asked.kind === 'wrong') {
  process.stderr.write(`${asked.reason}\n${USAGE}`)
  process.exitCode = 2
} else {
  end(asked.user, asked.how, asked.envFiles).catch((error: unknown) => {
    const hint = error instanceof RedisUnavailable ? ' Part of it may be done: run the command again.' : ''
    process.stderr.write(`${error instanceof Error ? error.message : error}${hint}\n`)
    process.exitCode = 1
  })
}
