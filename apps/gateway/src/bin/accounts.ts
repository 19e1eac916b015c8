import { createReadStream } from 'node:fs'
import { createAccounts, type Imported, importPeople, openAccountKeys } from '@saoma/accounts'
import { createAudit } from '@saoma/audit'
import { CLUSTER_VERSION, createRedis, orUnavailable, type RedisClients, RedisUnavailable } from '@saoma/redis'
import { type Config, readConfig } from '../config/config.ts'
import { unreachable } from '../operate/open-redis.ts'
import { readGiven } from './given.ts'
import { openPeople } from './open-people.ts'
import { runPersonCommand } from './person-command.ts'
import { type AskedAccountsCommand, type PersonCommand, readAccountsCommand, USAGE } from './read-accounts-command.ts'

/*
 * Imports people, shows, disables, deletes and exports one. It reads the settings of a node from the
 * environment and from files:
 *
 *   saoma accounts import people.jsonl [--after <line>]
 *   saoma accounts show | export | disable | enable | delete <sub>
 *
 * `--help` prints more. In the image: node apps/gateway/src/bin/accounts.ts.
 */

type Import = Extract<AskedAccountsCommand, { kind: 'import' }>

/** Short, because a person waits for the command. */
const READY_MS = 5_000
const PROGRESS_MS = 1_000

const { format: number } = new Intl.NumberFormat('en')
const say = (line: string): boolean => process.stdout.write(`${line}\n`)
const sentenceOf = ({ lines, made, added, known, bad }: Imported): string =>
  `${number(lines)} lines: ${number(made)} new, ${number(added)} added to an account, ${number(known)} known, ${number(bad)} bad`

/** @throws an error for the operator */
const assertReady = async ({ data, keys }: RedisClients, mayBegin: boolean): Promise<void> => {
  const [version, signing, account] = await Promise.all([
    orUnavailable(data.get(keys.clusterVersion())),
    orUnavailable(data.exists(keys.signingKeys())),
    orUnavailable(data.exists(keys.accountKeys())),
  ])
  const isOld = version !== null && Number(version) < CLUSTER_VERSION
  if (isOld || (signing === 1 && account === 0))
    throw new Error('The nodes of this cluster are of a former version. Update them all first.')
  if (account === 0 && !mayBegin) throw new Error('This Redis has no accounts. Is it the one of the nodes?')
}

const open = async (config: Config, url: string): Promise<RedisClients> => {
  try {
    return await createRedis({
      url,
      certificates: config.redisCertificates,
      prefix: config.redisPrefix,
      name: 'saoma-accounts',
      probeMs: 0,
      readyTimeoutMs: READY_MS,
      replicas: config.replicas,
    })
  } catch (error) {
    if (!(error instanceof RedisUnavailable)) throw error
    throw new Error(unreachable(error, url), { cause: error })
  }
}

/** Resolves with the exit code. */
const act = async (command: PersonCommand, config: Config): Promise<number> => {
  const redis = await open(config, config.redisUrl)
  let apart: RedisClients | undefined
  try {
    if (config.redisChannelsUrl) apart = await open(config, config.redisChannelsUrl)
    await assertReady(redis, false)
    const people = await openPeople(redis, apart, config)
    try {
      return await runPersonCommand(command, people)
    } finally {
      await people.close()
    }
  } finally {
    await Promise.all([redis.close(), apart?.close()])
  }
}

/** Resolves with the exit code. */
const importAll = async ({ file, after }: Import, config: Config): Promise<number> => {
  const interrupted = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => interrupted.abort())
  const redis = await open(config, config.redisUrl)
  const audit = createAudit(redis, { ...config.audit, node: 'command', secrets: config.secrets })
  let done: Imported = { lines: after, made: 0, added: 0, known: 0, bad: 0 }
  const goOn = () => say(`Go on with: saoma accounts import ${file} --after ${done.lines}`)
  try {
    await assertReady(redis, true)
    const accountKeys = await openAccountKeys(redis, { secrets: config.secrets })
    try {
      let toldAt = performance.now()
      const { wechat } = config
      done = await importPeople(
        file === '-' ? process.stdin : createReadStream(file),
        createAccounts(redis, accountKeys),
        {
          after,
          ...(wechat ? { apps: [wechat, ...wechat.others].map(({ appid }) => appid) } : {}),
          ownClaims: config.accounts.ownClaims,
          onBad: (line, why) => process.stderr.write(`line ${line}: ${why}\n`),
          onProgress: (counts) => {
            done = counts
            if (performance.now() - toldAt < PROGRESS_MS) return
            toldAt = performance.now()
            say(sentenceOf(counts))
          },
          signal: interrupted.signal,
        },
      )
    } finally {
      accountKeys.close()
    }
    say(`${sentenceOf(done)}.`)
    if (!interrupted.signal.aborted) return done.bad === 0 ? 0 : 1
    goOn()
    return 130
  } catch (error) {
    if (error instanceof RedisUnavailable && done.lines > after) goOn()
    throw error
  } finally {
    // One entry for all: those of each person would push out what others did.
    const count = done.made + done.added
    if (count > 0) audit.note({ kind: 'admin.acted', by: 'operator', reason: 'accounts.import', count })
    await audit.close()
    await redis.close()
  }
}

// A reader such as `head` has closed the pipe: the rest need not be written.
process.stdout.on('error', ({ code }: NodeJS.ErrnoException) => process.exit(code === 'EPIPE' ? 0 : 1))

const start = async (command: Import | PersonCommand): Promise<void> => {
  const config = readConfig(readGiven(command.envFiles))
  try {
    // The input of an import may still be open. The output of an export may still be on its way.
    if (command.kind === 'import') process.exit(await importAll(command, config))
    process.exitCode = await act(command, config)
  } catch (error) {
    if (!(error instanceof RedisUnavailable)) throw error
    const hint = command.kind === 'import' ? '' : ' Part of it may be done: run the command again.'
    throw new Error(`${unreachable(error, config.redisUrl)}${hint}`, { cause: error })
  }
}

const asked = readAccountsCommand(process.argv.slice(2))
if (asked.kind === 'help') {
  process.stdout.write(USAGE)
} else if (asked.kind === 'wrong') {
  process.stderr.write(`${asked.reason}\n${USAGE}`)
  process.exitCode = 2
} else {
  start(asked).catch((error: unknown) => {
    process.stderr.write(`${error instanceof Error ? error.message : error}\n`)
    process.exit(1)
  })
}
