import { execFile } from 'node:child_process'
import { setTimeout as delay } from 'node:timers/promises'
import { promisify } from 'node:util'
import { phoneToken, startGateway, startNginx, startRedis } from '@saoma/testing'
import { startChild } from './child.ts'
import { costOf } from './cpu.ts'
import { ORIGIN } from './footprint.ts'
import type { Answered } from './keep-alive.ts'
import type { BareAnswer, BareOrder } from './login-bare.ts'
import type { Crypto, Noted, PartsAnswer, PartsOrder } from './login-parts.ts'
import { type Doors, newLogin, type Step, stepNames, steps } from './login-walk.ts'
import { batches, median, sum } from './numbers.ts'
import { openLoop } from './open-loop.ts'

export interface LoginOptions {
  /** Logins of one round. */
  logins: number
  /** Called with each progress message. */
  onProgress: (sentence: string) => void
}

/** CPU microseconds per login, for each step and each process. */
type ByStep<Part extends string> = Record<Step, Record<Part, number>>

export interface LoginRound {
  /** The browser uses one node, the phone another. */
  direct: ByStep<'browserNode' | 'phoneNode' | 'redis'>
  proxied: ByStep<'nodes' | 'redis' | 'nginx'>
  floor: ByStep<'http' | 'scripts' | 'crypto'>
  /** The same as `direct`, through nodes that write no audit. */
  unaudited: ByStep<'nodes' | 'redis'>
  /** The entries of one login in the audit, written alone: in the node and in Redis. */
  audit: number
}

export interface LoginResult {
  logins: number
  rounds: LoginRound[]
  /** CPU microseconds of one operation: medians. */
  crypto: Record<Crypto, number>
  /** What idle nodes and Redis use in the time of one login. Part of `direct`. */
  idle: number
}

const ROUNDS = 3
/**
 * Rounds before those that count. V8 still compiles in the first thousand logins, and what it uses for that
 * is counted. A node lives for days.
 */
const WARM_UPS = 4
/** Logins that begin a step in one second. */
const PER_SECOND = 200
/**
 * Time for work that a server may still do after the last client has its answer. What a node writes into the
 * audit comes later, in the time of the next step. The last step has none.
 */
const SETTLE_MS = 100
/** Time in which a node has written all that it noted for the audit. */
const AUDIT_SETTLE_MS = 1_700
const IDLE_MS = 5_000
/** Token requests of phones at the same time. */
const AT_ONCE = 20
/** Signatures in one measurement. */
const SIGNATURES = 1_000
const LIMITS = { SAOMA_LIMIT_HANDSHAKES: '1000000' }
/** Logins whose entries are written alone: more, because their cost is small. */
const NOTES = 600
const NOTED: readonly Noted[] = ['note browser', 'note phone']
/**
 * The indispensable signatures: the node verifies the phone's token at its first use, and signs access token
 * and id token.
 */
const SIGNED: Partial<Record<Step, Crypto[]>> = { scan: ['verify'], redeem: ['sign', 'sign'] }

/** A value for each step. The values are made one after another. */
const eachStep = async <T>(make: (step: Step) => Promise<T>): Promise<Record<Step, T>> => {
  const made: [Step, T][] = []
  for (const step of stepNames) made.push([step, await make(step)])
  return Object.fromEntries(made) as Record<Step, T>
}

const named = <Part extends string>(parts: readonly Part[], values: readonly number[]): Record<Part, number> =>
  Object.fromEntries(parts.map((part, i) => [part, values[i] ?? 0])) as Record<Part, number>

const workersOf = async (pid: number): Promise<number[]> =>
  (await promisify(execFile)('pgrep', ['-P', `${pid}`])).stdout.trim().split('\n').map(Number)

/** CPU cost of one login, step by step, beside the minimum that its parts cost alone. */
export const benchLogin = async ({ logins, onProgress }: LoginOptions): Promise<LoginResult> => {
  onProgress('login: starting')
  const redis = await startRedis()
  const start = (nodeId: string, env: Record<string, string> = {}) =>
    startGateway({ redisUrl: redis.url, nodeId, origin: ORIGIN, env: { ...LIMITS, ...env } })
  const off = { SAOMA_AUDIT: 'off' }
  const [a, b, c, d] = await Promise.all([start('a'), start('b'), start('c', off), start('d', off)])
  const nginx = await startNginx({ nodes: [a, b] })
  const master = await nginx.masterPid()
  const nginxPids = [master, ...(await workersOf(master))]
  const bare = await startChild<BareOrder, BareAnswer>('./login-bare.ts', [])
  const parts = await startChild<PartsOrder, PartsAnswer>('./login-parts.ts', [redis.url])
  const bareUrl = `http://127.0.0.1:${bare.started.port}`
  const direct: Doors = { browser: a.origin, phone: b.origin }
  const proxied: Doors = { browser: nginx.origin, phone: nginx.origin }
  const floor: Doors = { browser: bareUrl, phone: bareUrl }

  /**
   * One person per login, with a token that is new to every node: a node remembers the tokens that it has
   * verified.
   */
  const fetchPhones = async (): Promise<string[]> => {
    const phones: string[] = []
    for (const batch of batches([...Array(logins).keys()], AT_ONCE))
      phones.push(...(await Promise.all(batch.map((i) => phoneToken(b.origin, `bench-${i}`)))))
    return phones
  }

  // The bare server repeats a node's answers.
  const sample = newLogin(await phoneToken(b.origin, 'bench'))
  const answers = await eachStep(async (step) => steps[step](sample, direct))
  await bare.ask({ do: 'learn', answers: answers as Record<'create' | 'scan' | 'confirm' | 'redeem', Answered> })

  /**
   * Takes all logins of a round through all steps. All logins finish one step before the next begins.
   * Resolves with the CPU cost per login of each process.
   */
  const walk = async (pids: readonly number[], doors: Doors): Promise<Record<Step, number[]>> => {
    const walking = (await fetchPhones()).map((phone) => newLogin(phone))
    return eachStep(async (step) => {
      const costs = await costOf(pids, async () => {
        await openLoop(walking, PER_SECOND, (login) => steps[step](login, doors))
        await delay(SETTLE_MS)
      })
      return costs.map((cost) => cost / logins)
    })
  }

  const walkDirect = async () => {
    const costs = await walk([a.pid, b.pid, redis.pid], direct)
    return eachStep(async (step) => named(['browserNode', 'phoneNode', 'redis'], costs[step]))
  }

  const walkUnaudited = async () => {
    const costs = await walk([c.pid, d.pid, redis.pid], { browser: c.origin, phone: d.origin })
    return eachStep(async (step) => {
      const [onC = 0, onD = 0, inRedis = 0] = costs[step]
      return { nodes: onC + onD, redis: inRedis }
    })
  }

  const walkProxied = async () => {
    const costs = await walk([a.pid, b.pid, redis.pid, ...nginxPids], proxied)
    return eachStep(async (step) => {
      const [onA = 0, onB = 0, inRedis = 0, ...inNginx] = costs[step]
      return { nodes: onA + onB, redis: inRedis, nginx: sum(inNginx) }
    })
  }

  const costOfCrypto = async (how: Crypto): Promise<number> => {
    const [cost = 0] = await costOf([parts.pid], () => parts.ask({ do: 'crypto', how, count: SIGNATURES }))
    return cost / SIGNATURES
  }

  const cryptos: Record<Crypto, number>[] = []
  const walkFloor = async (): Promise<Pick<LoginRound, 'floor' | 'audit'>> => {
    const http = await walk([bare.pid], floor)
    await parts.ask({ do: 'prepare', count: logins })
    const play = (step: Step | Noted | 'nothing', settleMs = SETTLE_MS) =>
      costOf([parts.pid, redis.pid], async () => {
        await parts.ask({ do: 'step', step, perSecond: PER_SECOND })
        await delay(settleMs)
      })
    const nothing = sum(await play('nothing'))
    const scripts = await eachStep(async (step) => sum(await play(step)) - nothing)
    await parts.ask({ do: 'prepare', count: NOTES })
    const unnoted = sum(await play('nothing', AUDIT_SETTLE_MS))
    let notes = 0
    for (const noted of NOTED) notes += sum(await play(noted, AUDIT_SETTLE_MS)) - unnoted
    const crypto = {
      sign: await costOfCrypto('sign'),
      verify: await costOfCrypto('verify'),
      'jose sign': await costOfCrypto('jose sign'),
      'jose verify': await costOfCrypto('jose verify'),
    }
    cryptos.push(crypto)
    const costs = await eachStep(async (step) => ({
      http: sum(http[step]),
      scripts: scripts[step] / logins,
      crypto: sum((SIGNED[step] ?? []).map((how) => crypto[how])),
    }))
    return { floor: costs, audit: notes / NOTES }
  }

  const rounds: LoginRound[] = []
  for (let round = 1 - WARM_UPS; round <= ROUNDS; round++) {
    onProgress(round < 1 ? 'login: warming up' : `login: round ${round} of ${ROUNDS}`)
    const forwards = round % 2 === 0
    const early = forwards ? await walkFloor() : undefined
    // In turn, so that neither of the two that are compared is always the first.
    const before = forwards ? await walkUnaudited() : undefined
    const direct = await walkDirect()
    const unaudited = before ?? (await walkUnaudited())
    const measured = { direct, unaudited, proxied: await walkProxied() }
    const whole = { ...measured, ...(early ?? (await walkFloor())) }
    if (round > 0) rounds.push(whole)
  }
  const idle = sum(await costOf([a.pid, b.pid, redis.pid], () => delay(IDLE_MS)))
  const perLogin = (idle / IDLE_MS) * (1_000 / PER_SECOND) * stepNames.length

  await Promise.all([bare.stop(), parts.stop(), nginx.stop()])
  await Promise.all([a, b, c, d].map((node) => node.stop()))
  await redis.stop()
  const middle = (how: Crypto) => median(cryptos.slice(1).map((crypto) => crypto[how]))
  const crypto = {
    sign: middle('sign'),
    verify: middle('verify'),
    'jose sign': middle('jose sign'),
    'jose verify': middle('jose verify'),
  }
  return { logins, rounds, crypto, idle: perLogin }
}
