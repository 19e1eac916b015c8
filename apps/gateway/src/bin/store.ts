import { survey } from '@saoma/identity'
import { assertSuitable, createRedis, RedisUnavailable } from '@saoma/redis'
import { readConfig } from '../config/config.ts'
import { placeOf, unreachable } from '../operate/open-redis.ts'

/*
 * Looks whether a Redis holds a cluster that nodes can go on with, a restored backup for instance, with the
 * settings of a node in the environment. It changes nothing.
 *
 *   node scripts/bootstrap.mjs apps/gateway/src/bin/store.ts check
 *
 * Ends with 0 when nodes may start on it, with 1 and a sentence when not.
 */

/** A person waits for it. */
const READY_MS = 5_000
const USAGE = 'Usage: node scripts/bootstrap.mjs apps/gateway/src/bin/store.ts check\n'

const check = async (): Promise<boolean> => {
  const config = readConfig(process.env)
  const say = (line: string) => process.stdout.write(`${line}\n`)
  try {
    const redis = await createRedis({
      url: config.redisUrl,
      certificates: config.redisCertificates,
      prefix: config.redisPrefix,
      name: 'saoma-store',
      probeMs: 0,
      readyTimeoutMs: READY_MS,
    })
    try {
      await assertSuitable(redis)
      const found = await survey(redis, config.secrets)
      say(`Redis         ${placeOf(config.redisUrl)}, keys that begin with ${config.redisPrefix}:`)
      say(`signing keys  ${found.signingKeys}, opened with SAOMA_SECRET`)
      say(`accounts      ${found.accounts}`)
      say(`logins        ${found.sessions} of ${found.people} people, the newest began ${found.newest ?? 'never'}`)
      if (found.signingKeys > 0 && found.accounts > 0) {
        say('Nodes may start on it.')
        return true
      }
      if (found.signingKeys > 0)
        say('Nobody has an account here: a node has begun a cluster anew, in place of the one of the backup.')
      else
        say(
          'It is empty: a cluster would begin anew here, and everybody get a new id. Was the backup restored as docs/operate.md says?',
        )
      return false
    } finally {
      await redis.close()
    }
  } catch (error) {
    if (!(error instanceof RedisUnavailable)) throw error
    throw new Error(unreachable(error, config.redisUrl), { cause: error })
  }
}

const [command, ...more] = process.argv.slice(2)
if (command === '--help') {
  process.stdout.write(USAGE)
} else if (command !== 'check' || more.length > 0) {
  process.stderr.write(USAGE)
  process.exitCode = 1
} else {
  check().then(
    (isGood) => {
      process.exitCode = isGood ? 0 : 1
    },
    (error: unknown) => {
      process.stderr.write(`${error instanceof Error ? error.message : error}\n`)
      process.exitCode = 1
    },
  )
}
