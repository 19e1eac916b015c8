import { X509Certificate } from 'node:crypto'
import { TLSSocket } from 'node:tls'
import { mastersOf, RedisUnavailable, trialProblems, whereOf } from '@saoma/redis'
import type { Config } from '../config/config.ts'
import { judgeCertificate } from './certificates.ts'
import type { Check, Subject } from './check.ts'
import type { Finding } from './finding.ts'
import { error, needsSettings, ok, sentence, skipped } from './findings.ts'
import { judgeLatency, measureTrips } from './latency.ts'
import { redisOf, whyAway, withRedis } from './open-redis.ts'
import { judgeServer, type ServerState, type Wanted } from './redis-server.ts'

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
    // A list of names and values, or an object with RESP 3.
    if (Array.isArray(list)) config[name] = String(list[1] ?? '')
    else config[name] = String((list as Record<string, unknown>)[name] ?? '')
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

/** @param findings  gets each finding at once, so that those before an outage are kept */
const lookAt = async (
  redis: Clients,
  wanted: Wanted,
  { signal, findings }: { signal: AbortSignal; findings: Finding[] },
): Promise<void> => {
  const masters = mastersOf(redis.data)
  findings.push(
    ok('redis-reachable', `Redis answers at ${masters.map(whereOf).join(', ')}.`),
    ...(await clusterOf(redis, masters)),
  )
  for (const master of masters) {
    signal.throwIfAborted()
    const ofServer = await serverOf(master, wanted)
    findings.push(...ofServer)
    // On a replica no write can be tried, and ioredis would leave it.
    if (!ofServer.some(({ code }) => code === 'redis-role')) findings.push(...(await rightsOf(redis, master)))
    findings.push(judgeLatency(whereOf(master), await measureTrips(() => master.ping())))
    findings.push(...certificateOf(master))
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
export const redisCheck: Check = {
  name: 'redis',
  run: async ({ config, signal }: Subject) => {
    if (!config) return needsSettings('Redis was')
    const findings = ownCertificate(config)
    for (const { name, url, holds } of redisOf(config)) {
      const { channelsMemoryShare: share, demo: isDemo } = config
      const wanted = { replicas: config.replicas.count, share, isDemo, holds }
      try {
        await withRedis(config, url, signal, (redis) => lookAt(redis, wanted, { signal, findings }))
      } catch (failure) {
        const why = whyAway(failure, name, url)
        if (why === undefined) throw failure
        findings.push(
          error(
            'redis-reachable',
            sentence(why),
            `Is Redis running, and does ${name} have its address, port and password?`,
          ),
        )
      }
    }
    return findings
  },
}
