import { X509Certificate } from 'node:crypto'
import { TLSSocket } from 'node:tls'
import { mastersOf, RedisUnavailable, trialProblems, whereOf } from '@saoma/redis'
import type { Config } from '../config/config.ts'
import { judgeCertificate } from './certificates.ts'
import { type Check, type Find, stepwise } from './check.ts'
import type { Finding } from './finding.ts'
import { error, needsSettings, ok, sentence, skipped, warning } from './findings.ts'
import { judgeLatency, measureTrips } from './latency.ts'
import { redisOf, whyAway, withRedis } from './open-redis.ts'
import { judgeServer, type ServerState, type Wanted } from './redis-server.ts'
import type { Source } from './source.ts'

type Clients = Parameters<Parameters<typeof withRedis>[3]>[0]
type Master = ReturnType<typeof mastersOf>[number]

/** What Redis itself says against a command; undefined if it does not answer. */
const refusalIn = (error: unknown): string | undefined =>
  error instanceof Error && error.name === 'ReplyError' ? error.message : undefined

/** A refused command is an answer. Rejects if Redis does not answer. */
const unlessRefused = async <T>(pending: Promise<T>): Promise<T | { refused: string }> => {
  try {
    return await pending
  } catch (error) {
    const refused = refusalIn(error)
    if (refused === undefined) throw new RedisUnavailable('Redis cannot be reached', { cause: error })
    return { refused }
  }
}
const isRefused = (answer: unknown): answer is { refused: string } =>
  typeof answer === 'object' && answer !== null && 'refused' in answer

const configOf = async (master: Master): Promise<ServerState['config']> => {
  const config: Record<string, string> = {}
  for (const name of ['save', 'appendfsync']) {
    const answer = await unlessRefused(master.config('GET', name))
    if (isRefused(answer)) return undefined
    const list: unknown = answer
    // A list of names and values, or an object with RESP 3. A provider may leave a name out.
    const value: unknown = Array.isArray(list) ? list[1] : (list as Record<string, unknown>)[name]
    if (value !== undefined && value !== null) config[name] = String(value)
  }
  return config
}

const serverOf = async (master: Master, wanted: Wanted): Promise<Finding[]> => {
  const where = whereOf(master)
  const sections: Partial<ServerState['info']> = {}
  for (const section of ['server', 'memory', 'persistence', 'replication'] as const) {
    const answer = await unlessRefused(master.info(section))
    if (isRefused(answer))
      return [
        skipped(
          'redis-info',
          `Redis at ${where} does not say its version, eviction policy, memory, persistence and replicas (${answer.refused}).`,
          `Let this user ask: ACL SETUSER ${master.options.username ?? 'default'} +info.`,
        ),
      ]
    sections[section] = answer
  }
  const config = await configOf(master)
  return judgeServer({ where, info: sections as ServerState['info'], ...(config ? { config } : {}) }, wanted)
}

const rightsOf = async (redis: Clients, master: Master): Promise<Finding[]> => {
  const where = whereOf(master)
  try {
    const problems = await trialProblems(redis, master)
    if (problems.length === 0) return [ok('redis-rights', `Redis at ${where} lets a node do all that it does.`)]
    return problems.map((problem) =>
      error('redis-rights', sentence(problem), 'Run the line that the sentence ends with, or update Redis.'),
    )
  } catch (failure) {
    const why = failure instanceof RedisUnavailable ? refusalIn(failure.cause) : undefined
    if (why === undefined) throw failure
    // It answers, but takes no writes at the moment.
    return [
      error(
        'redis-writes',
        `Redis at ${where} takes no writes (${why}).`,
        'Look at the word: OOM is full memory, MISCONF a disk that cannot be written, NOREPLICAS missing replicas.',
      ),
    ]
  }
}

const latencyOf = async (master: Master): Promise<Finding> => {
  const where = whereOf(master)
  const first = await unlessRefused(master.ping())
  if (isRefused(first))
    return skipped(
      'redis-latency',
      `Redis at ${where} does not let this user measure a round trip (${first.refused}).`,
      `Let it: ACL SETUSER ${master.options.username ?? 'default'} +ping.`,
    )
  return judgeLatency(where, await measureTrips(() => unlessRefused(master.ping())))
}

const certificateOf = (master: Master): Finding[] => {
  const { stream } = master
  if (!(stream instanceof TLSSocket)) return []
  const { valid_to } = stream.getPeerCertificate()
  const where = whereOf(master)
  return judgeCertificate(`The certificate of Redis at ${where}`, valid_to ?? '', 'Renew it, and let Redis load it.')
}

const clusterOf = async (redis: Clients, masters: readonly Master[]): Promise<Finding[]> => {
  const [first] = masters
  if (!first || !('nodes' in redis.data)) return []
  const answer = await unlessRefused(first.call('CLUSTER', 'INFO') as Promise<string>)
  if (isRefused(answer)) return []
  const slots = Number(/^cluster_slots_ok:(\d+)/m.exec(answer)?.[1])
  const isOk = /^cluster_state:ok/m.test(answer) && slots === 16_384
  return isOk
    ? [ok('redis-cluster', `The Redis Cluster is well: ${masters.length} masters have all 16384 slots.`)]
    : [
        error(
          'redis-cluster',
          `The Redis Cluster is not well: ${slots} of 16384 slots can be used.`,
          'Run: redis-cli --cluster check, and bring back the masters or replicas of the missing slots.',
        ),
      ]
}

interface Look {
  wanted: Wanted
  signal: AbortSignal
  /** Whether somebody named this Redis. Nothing is written to one that nobody named. */
  isNamed: boolean
}

const lookAt = async (redis: Clients, { wanted, signal, isNamed }: Look, find: Find): Promise<void> => {
  const masters = mastersOf(redis.data)
  find(ok('redis-reachable', `Redis answers at ${masters.map(whereOf).join(', ')}.`))
  find(...(await clusterOf(redis, masters)))
  for (const master of masters) {
    signal.throwIfAborted()
    const ofServer = await serverOf(master, wanted)
    find(...ofServer)
    const isReplica = ofServer.some(({ code }) => code === 'redis-role')
    if (!isNamed)
      find(
        skipped(
          'redis-rights',
          `What this user may do at ${whereOf(master)} was not tried, because a trial writes.`,
          'Give REDIS_URL.',
        ),
      )
    // On a replica no write can be tried, and ioredis would leave it.
    else if (!isReplica) find(...(await rightsOf(redis, master)))
    find(await latencyOf(master))
    find(...certificateOf(master))
  }
}

/** The certificate that we show to a Redis which asks for one. */
const ownCertificate = ({ redisCertificates: { cert } }: Config): Finding[] =>
  cert === undefined
    ? []
    : judgeCertificate(
        'The certificate in REDIS_CERT_FILE',
        new X509Certificate(cert).validTo,
        'Renew it, and restart the nodes one after the other.',
      )

/** Looks at every master of each Redis that the settings name, as a node would see it. */
export const createRedisCheck = ({ given }: Source): Check =>
  stepwise('redis', async ({ config, signal }, find) => {
    if (!config) return find(...needsSettings('Redis was'))
    find(...ownCertificate(config))
    for (const { name, url, holds } of redisOf(config)) {
      const isNamed = Boolean(given[name] || given[`${name}_FILE`])
      if (!isNamed)
        find(
          warning(
            'redis-default',
            `${name} is not in these settings: this looks at ${url}.`,
            `Give the ${name} of the nodes, or run the doctor in the container of a node.`,
          ),
        )
      const { channelsMemoryShare: share, demo: isDemo } = config
      const wanted = { replicas: config.replicas.count, share, isDemo, holds }
      try {
        await withRedis(config, url, signal, (redis) => lookAt(redis, { wanted, signal, isNamed }, find))
      } catch (failure) {
        const why = whyAway(failure, name, url)
        if (why === undefined) throw failure
        find(
          error(
            'redis-reachable',
            sentence(why),
            `Is Redis running, and does ${name} have its address, port and password?`,
          ),
        )
      }
    }
  })
