import { relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { survey } from '@saoma/identity'
import { assertSuitable, type RedisClients } from '@saoma/redis'
import { createClientStore } from '../access/client-store.ts'
import { createKeyStore } from '../access/key-store.ts'
import { readConfig } from '../config/config.ts'
import { placeOf } from '../operate/open-redis.ts'
import { forOperator, openCommandRedis } from './command-redis.ts'

/*
 * Checks whether a Redis, such as a restored backup, holds a cluster that nodes can continue. It reads the
 * settings of a node from the environment and changes nothing.
 *
 *   node apps/gateway/src/bin/store.ts check
 *
 * Exit status: 0 if nodes may start on it, otherwise 1 and a sentence that says why.
 */

/** In a clone, in the image and in the package `saoma` the file is at different places. */
const USAGE = `Usage: node ${relative(process.cwd(), fileURLToPath(import.meta.url))} check\n`

/** The number of API keys in Redis. Rejects with an error for the operator if one cannot be opened. */
const countKeys = async (redis: RedisClients, secrets: readonly [string, ...string[]]): Promise<number> => {
  const { entries: keys } = await createKeyStore(redis, secrets).read()
  const shut = [...keys].flatMap(([name, { entry }]) => (entry ? [] : [name]))
  if (shut.length > 0)
    throw new Error(
      `SAOMA_SECRET does not open these API keys in Redis: ${shut.sort().join(', ')}. If it was replaced, set SAOMA_PREVIOUS_SECRET to the former one. If they are not needed, revoke them with saoma key revoke.`,
    )
  return keys.size
}

/** The same of applications. */
const countClients = async (redis: RedisClients, secrets: readonly [string, ...string[]]): Promise<number> => {
  const { entries } = await createClientStore(redis, secrets).read()
  const shut = [...entries].flatMap(([id, { entry }]) => (entry ? [] : [id]))
  if (shut.length > 0)
    throw new Error(
      `SAOMA_SECRET does not open these applications in Redis: ${shut.sort().join(', ')}. If it was replaced, set SAOMA_PREVIOUS_SECRET to the former one. If they are not needed, remove them with saoma client remove --redis.`,
    )
  return entries.size
}

const check = async (): Promise<boolean> => {
  const config = readConfig(process.env)
  const say = (line: string) => process.stdout.write(`${line}\n`)
  try {
    const redis = await openCommandRedis('store', config)
    try {
      await assertSuitable(redis)
      const found = await survey(redis, config.secrets)
      say(`Redis         ${placeOf(config.redisUrl)}, keys that begin with ${config.redisPrefix}:`)
      say(`signing keys  ${found.signingKeys}, opened with SAOMA_SECRET`)
      say(`API keys      ${await countKeys(redis, config.secrets)}, opened with SAOMA_SECRET`)
      say(`applications  ${await countClients(redis, config.secrets)}, opened with SAOMA_SECRET`)
      say(`accounts      ${found.accounts}`)
      say(`logins        ${found.sessions} of ${found.people} people, the newest began ${found.newest ?? 'never'}`)
      if (found.signingKeys > 0 && found.accounts > 0) {
        say('Nodes may start on it.')
        return true
      }
      if (found.signingKeys > 0)
        say('It has no accounts: a node has begun a new cluster here instead of the one in the backup.')
      else
        say(
          'It is empty: nodes would begin a new cluster here, and all people would get new ids. Was the backup restored as docs/operate.md says?',
        )
      return false
    } finally {
      await redis.close()
    }
  } catch (error) {
    throw forOperator(error, config.redisUrl)
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
