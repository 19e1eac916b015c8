import { createReadStream } from 'node:fs'
import { createAccounts, type Imported, importPeople, openAccountKeys } from '@saoma/accounts'
import { createAudit } from '@saoma/audit'
import { CLUSTER_VERSION, orUnavailable, type RedisClients, RedisUnavailable } from '@saoma/redis'
import { parsePhoneIssuers } from '../access/read-phone-issuers.ts'
import { type Config, readConfig } from '../config/config.ts'
import { endAtClosedPipe, endCommand, FAILED, INTERRUPTED } from './command-end.ts'
import { forOperator, openCommandRedis } from './command-redis.ts'
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

/** Resolves with the exit code. */
const act = async (command: PersonCommand, config: Config): Promise<number> => {
  const { redisChannelsUrl: url, replicas } = config
  const redis = await openCommandRedis('accounts', config, { replicas })
  let apart: RedisClients | undefined
  try {
    if (url) apart = await openCommandRedis('accounts', config, { url, replicas })
    await assertReady(redis, false)
    const people = await openPeople(redis, apart, config)
    try {
      return await runPersonCommand(command, people)
    } finally {
      await people.close()
    }
  } catch (error) {
    throw forOperator(error, config.redisUrl, 'Part of it may be done: run the command again.')
  } finally {
    await Promise.all([redis.close(), apart?.close()])
  }
}

/** Resolves with the exit code. */
const importAll = async ({ file, after }: Import, config: Config): Promise<number> => {
  const interrupted = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => interrupted.abort())
  const redis = await openCommandRedis('accounts', config, { replicas: config.replicas })
  const input = file === '-' ? process.stdin : createReadStream(file)
  const audit = createAudit(redis, { ...config.audit, node: 'command', secrets: config.secrets })
  let done: Imported = { lines: after, made: 0, added: 0, known: 0, bad: 0 }
  const goOn = () => say(`Go on with: saoma accounts import ${file} --after ${done.lines}`)
  try {
    await assertReady(redis, true)
    const accountKeys = await openAccountKeys(redis, { secrets: config.secrets })
    try {
      let toldAt = performance.now()
      const { wechat } = config
      done = await importPeople(input, createAccounts(redis, accountKeys), {
        after,
        ...(wechat ? { apps: [wechat, ...wechat.others].map(({ appid }) => appid) } : {}),
        issuers: parsePhoneIssuers(config.phoneIssuers?.text ?? '').issuers.map(({ name }) => name),
        ownClaims: config.accounts.ownClaims,
        onBad: (line, why) => process.stderr.write(`line ${line}: ${why}\n`),
        onProgress: (counts) => {
          done = counts
          if (performance.now() - toldAt < PROGRESS_MS) return
          toldAt = performance.now()
          say(sentenceOf(counts))
        },
        signal: interrupted.signal,
      })
    } finally {
      accountKeys.close()
    }
    say(`${sentenceOf(done)}.`)
    if (!interrupted.signal.aborted) return done.bad === 0 ? 0 : 1
    goOn()
    return INTERRUPTED
  } catch (error) {
    if (error instanceof RedisUnavailable && done.lines > after) goOn()
    throw forOperator(error, config.redisUrl)
  } finally {
    // Else one that is still open would keep the command running.
    input.destroy()
    // One entry for all: those of each person would push out what others did.
    const count = done.made + done.added
    if (count > 0) audit.note({ kind: 'admin.acted', by: 'operator', reason: 'accounts.import', count })
    await audit.close()
    await redis.close()
  }
}

/** Resolves with the exit code. */
const run = (command: Import | PersonCommand): Promise<number> => {
  const config = readConfig(readGiven(command.envFiles))
  return command.kind === 'import' ? importAll(command, config) : act(command, config)
}

endAtClosedPipe()
const asked = readAccountsCommand(process.argv.slice(2))
await endCommand(asked, USAGE, async () => ('envFiles' in asked ? run(asked) : FAILED))
