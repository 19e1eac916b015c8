import { setTimeout as delay } from 'node:timers/promises'
import { channelPattern, userChannel } from '@saoma/protocol'
import { RedisUnavailable } from '@saoma/redis'
import * as v from 'valibot'
import type { OutsideIdentity } from './account.ts'
import type { Accounts } from './accounts.ts'
import { type Claims, claimsSchema } from './claims.ts'

/** Whether a `sub` can be one: it is also the name of the person's channel. */
export const isSub = (text: string): boolean => channelPattern.test(userChannel(text))

export interface ImportOptions {
  /** The app of lines that name none. */
  app?: string
  /** Names of the business's own claims. */
  ownClaims?: readonly string[]
  /** Lines to skip, because a former import has done them. @default 0 */
  after?: number
  /** Called for each line that cannot be done, with what is wrong with it. Nothing personal is in it. */
  onBad: (line: number, why: string) => void
  /** Called after each batch. All lines up to `counts.lines` are done. */
  onProgress?: (counts: Imported) => void
  /** Ends the import after the present batch. */
  signal?: AbortSignal
  /** Milliseconds for which Redis may be away. @default two minutes */
  patienceMs?: number
}

/** Numbers of lines. */
export interface Imported {
  /** All up to this line are done. */
  lines: number
  /** Created accounts, and identities that were added to one. */
  made: number
  /** Those that were as they should be before. */
  known: number
  bad: number
}

/** Lines in one batch: enough for Redis to be busy, few enough to be repeated. */
const BATCH = 500
/** Characters of a line. */
const LONGEST = 16_384
const PAUSE_MS = 500

const text = (most: number) => v.pipe(v.string(), v.minLength(1), v.maxLength(most))

const lineSchema = (app: string | undefined, own: readonly string[]) =>
  v.strictObject({
    provider: v.optional(v.picklist(['wechat', 'app']), 'wechat'),
    app: app === undefined ? text(64) : v.optional(text(64), app),
    id: text(128),
    union: v.exactOptional(text(128)),
    sub: v.pipe(v.string(), v.check(isSub)),
    claims: v.exactOptional(claimsSchema(own)),
  })

interface Person {
  identity: OutsideIdentity
  sub: string
  claims?: Claims
}

/** What is wrong with a line, without its values: they are personal. */
export const wrongWith = (issues: readonly v.BaseIssue<unknown>[]): string => {
  const [issue] = issues
  if (!issue) return 'it does not fit'
  const where = v.getDotPath(issue) ?? 'the line'
  if (issue.type === 'strict_object' && issue.expected === 'never') return `${where} is not known`
  if (issue.type === 'check' && where === 'sub') return 'sub must have 1 to 128 of A-Z a-z 0-9 _ . : @ ~ -'
  return `${where} does not fit${issue.expected ? ` (${issue.expected})` : ''}`
}

const parseJson = (line: string): unknown => {
  try {
    return JSON.parse(line)
  } catch {
    return undefined
  }
}

/**
 * Imports people: each line is the JSON of an identity and the `sub` that it is to have. An import may be
 * repeated: a line that was done before changes nothing. An identity that has another account keeps it, and
 * its line counts as bad.
 *
 * Rejects with RedisUnavailable if Redis is away for longer than `patienceMs`.
 */
export const importPeople = async (
  lines: AsyncIterable<string> | Iterable<string>,
  accounts: Pick<Accounts, 'adopt'>,
  options: ImportOptions,
): Promise<Imported> => {
  const { app, ownClaims = [], after = 0, onBad, onProgress = () => {}, signal, patienceMs = 120_000 } = options
  const schema = lineSchema(app, ownClaims)
  const counts: Imported = { lines: 0, made: 0, known: 0, bad: 0 }

  const read = (line: string): Person | string => {
    if (line.length > LONGEST) return `it has more than ${LONGEST} characters`
    const body = parseJson(line)
    if (body === undefined) return 'it is not JSON'
    const parsed = v.safeParse(schema, body, { abortEarly: true })
    if (!parsed.success) return wrongWith(parsed.issues)
    const { sub, claims, ...identity } = parsed.output
    return { identity, sub, ...(claims ? { claims } : {}) }
  }

  const adopt = async ({ identity, sub, claims }: Person): ReturnType<Accounts['adopt']> => {
    const until = performance.now() + patienceMs
    for (;;) {
      try {
        return await accounts.adopt(identity, sub, claims)
      } catch (error) {
        if (!(error instanceof RedisUnavailable) || performance.now() > until || signal?.aborted) throw error
        await delay(PAUSE_MS)
      }
    }
  }

  const take = async (number: number, line: string): Promise<void> => {
    const bad = (why: string) => {
      counts.bad++
      onBad(number, why)
    }
    const person = read(line)
    if (typeof person === 'string') return bad(person)
    const outcome = await adopt(person)
    if (outcome === 'other') return bad('this identity has another account already')
    if (outcome === 'closed') return bad('the account of this sub is disabled or deleted')
    counts[outcome]++
  }

  let batch: { number: number; line: string }[] = []
  const flush = async (): Promise<void> => {
    await Promise.all(batch.map(({ number, line }) => take(number, line)))
    counts.lines = batch.at(-1)?.number ?? counts.lines
    batch = []
    onProgress({ ...counts })
  }

  let number = 0
  for await (const line of lines) {
    number++
    if (number <= after) {
      counts.lines = number
      continue
    }
    if (line.trim() === '') {
      if (batch.length === 0) counts.lines = number
      continue
    }
    batch.push({ number, line })
    if (batch.length < BATCH) continue
    await flush()
    if (signal?.aborted) return counts
  }
  if (batch.length > 0) await flush()
  return counts
}
