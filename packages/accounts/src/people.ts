import { setTimeout as delay } from 'node:timers/promises'
import { channelPattern, parseExact, userChannel } from '@saoma/protocol'
import { RedisUnavailable } from '@saoma/redis'
import * as v from 'valibot'
import type { OutsideIdentity } from './account.ts'
import type { Accounts } from './accounts.ts'
import { type Claims, claimsSchema } from './claims.ts'
import { type Line, readLines } from './read-lines.ts'

/** Whether a `sub` can be one: it names the person's channel too, and stands in the path of routes. */
export const isSub = (text: string): boolean => channelPattern.test(userChannel(text)) && !/^\.\.?$/.test(text)

/** A `sub` that others name. */
export const subSchema: v.GenericSchema<unknown, string> = v.pipe(
  v.string(),
  v.check(isSub, 'must have 1 to 128 of A-Z a-z 0-9 _ . : @ ~ -, and be neither . nor ..'),
)

export interface ImportOptions {
  /** The apps of the cluster: lines of others are bad. The first one is that of lines that name none. */
  apps?: readonly string[]
  /** The same for lines with `"provider":"app"`: the names of their issuers. @default those of `apps` */
  issuers?: readonly string[]
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
  /** Created accounts. */
  made: number
  /** Identities that were added to an account that was there, such as that of another line with its `sub`. */
  added: number
  /** Those that were as they should be before. */
  known: number
  bad: number
}

/** Lines in one batch: enough for Redis to be busy, few enough to be repeated. */
const BATCH = 500
/** Bytes of a line. */
const LONGEST = 16_384
const PAUSE_MS = 500
/** Characters of a name in a sentence about it. */
const LONGEST_NAME = 100

const text = (most: number) => v.pipe(v.string(), v.minLength(1), v.maxLength(most))

const lineSchema = ([app, ...others]: readonly string[], own: readonly string[]) =>
  v.strictObject({
    provider: v.optional(v.picklist(['wechat', 'app']), 'wechat'),
    app: app === undefined ? text(64) : v.optional(v.picklist([app, ...others]), app),
    id: text(128),
    union: v.exactOptional(text(128)),
    sub: subSchema,
    claims: v.exactOptional(claimsSchema(own)),
  })

interface Person {
  identity: OutsideIdentity
  sub: string
  claims?: Claims
}

/** What is wrong with a line, without its values: they are personal. */
const wrongWith = (issues: readonly v.BaseIssue<unknown>[]): string => {
  const [issue] = issues
  if (!issue) return 'it does not fit'
  const where = v.getDotPath(issue)?.slice(0, LONGEST_NAME) ?? 'the line'
  if (issue.type === 'strict_object' && issue.expected === 'never') return `${where} is not known`
  if (issue.type === 'check') return `${where} ${issue.message}`
  return `${where} does not fit${issue.expected ? ` (${issue.expected})` : ''}`
}

const parseJson = (line: string): unknown => {
  try {
    return parseExact(line)
  } catch {
    return undefined
  }
}

/** Lines that are about the same person have a name in common. */
const namesOf = ({ identity: { provider, app, id, union }, sub }: Person): string[] =>
  [['sub', sub], [provider, app, id], ...(union === undefined ? [] : [['union', provider, union]])].map((name) =>
    JSON.stringify(name),
  )

const refusals = {
  other: 'this identity, or its unionid, has another account already',
  closed: 'the account of this sub is disabled or deleted',
  full: 'the account of this sub has too many identities',
} as const

/**
 * Imports people: each line of the file is the JSON of an identity and the `sub` that it is to have. An
 * import may be repeated: a line that was done before changes nothing, but claims that differ become those
 * of the line. An identity that has another account keeps it, and its line counts as bad. Of two lines about
 * the same person, the first one is done first.
 *
 * Rejects with RedisUnavailable if Redis is away for longer than `patienceMs`, and with errors of the file.
 */
export const importPeople = async (
  file: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  accounts: Pick<Accounts, 'adopt'>,
  options: ImportOptions,
): Promise<Imported> => {
  const {
    apps = [],
    issuers = [],
    ownClaims = [],
    after = 0,
    onBad,
    onProgress = () => {},
    signal,
    patienceMs = 120_000,
  } = options
  const schema = lineSchema(apps, ownClaims)
  const ofIssuers = lineSchema(issuers.length > 0 ? issuers : apps, ownClaims)
  const counts: Imported = { lines: 0, made: 0, added: 0, known: 0, bad: 0 }

  const read = (line: Line): Person | string => {
    if ('wrong' in line) return line.wrong
    const body = parseJson(line.text)
    if (body === undefined) return 'it is not JSON'
    const isOfIssuer = Object(body).provider === 'app'
    const parsed = v.safeParse(isOfIssuer ? ofIssuers : schema, body, { abortEarly: true })
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

  const bad = (line: number, why: string): void => {
    counts.bad++
    onBad(line, why)
  }
  /** Lines to be done at the same time. */
  let batch: { number: number; line: Line }[] = []
  const flush = async (upTo: number): Promise<void> => {
    /** The last line with each name. */
    const busy = new Map<string, Promise<void>>()
    const take = ({ number, line }: (typeof batch)[number]): Promise<void> | undefined => {
      const person = read(line)
      if (typeof person === 'string') return void bad(number, person)
      const names = namesOf(person)
      const done = Promise.all(names.map((name) => busy.get(name))).then(async () => {
        const outcome = await adopt(person)
        if (outcome in refusals) bad(number, refusals[outcome as keyof typeof refusals])
        else counts[outcome as Exclude<typeof outcome, keyof typeof refusals>]++
      })
      for (const name of names) busy.set(name, done)
      return done
    }
    await Promise.all(batch.map(take))
    batch = []
    counts.lines = upTo
    onProgress({ ...counts })
  }

  let number = 0
  for await (const line of readLines(file, LONGEST)) {
    number++
    if (number <= after) counts.lines = number
    else if (!('text' in line) || line.text.trim() !== '') batch.push({ number, line })
    if (number - counts.lines < BATCH) continue
    await flush(number)
    if (signal?.aborted) return counts
  }
  if (number > counts.lines) await flush(number)
  return counts
}
