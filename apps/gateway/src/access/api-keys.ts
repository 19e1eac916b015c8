import { createHash, timingSafeEqual } from 'node:crypto'
import { type Backend, patternSyntax } from './principal.ts'
import { type ListText, rereadList } from './reread-list.ts'
import type { KeyRing } from './revocation-watch.ts'
import { channelActs, isScope, type Scope, scopes } from './scopes.ts'

export interface ApiKeysOptions {
  /**
   * Called once per change with the reasons why a changed file was rejected. The previous keys stay valid.
   */
  onProblem: (problems: readonly string[]) => void
  /** Interval at which the file is checked, in milliseconds. @default 2000 */
  lookMs?: number
}

export interface ApiKeys extends KeyRing {
  /** The backend that owns this key, or undefined if the key is unknown. */
  find(key: string): Backend | undefined
  /** The backends of all keys. */
  all(): readonly Backend[]
  close(): void
}

interface Entry {
  sha256: Buffer
  backend: Backend
}

interface ParsedKeys {
  /** By name. */
  entries: ReadonlyMap<string, Entry>
  problems: string[]
}

/** The prefix of API keys. No other token has it. */
export const API_KEY_PREFIX = 'saoma_'
/** What a name and a list of patterns must be, as the end of a sentence. */
export const NAME_RULE = 'must be 1 to 32 of A-Z, a-z, 0-9 and -'
export const PATTERNS_RULE = 'must list patterns such as room:*,user:*'
export const SCOPES_RULE = `must list scopes such as audit:read,accounts:read; there are ${scopes.join(', ')}`
/** What a key of the file may do beside channels, if its line does not say it. */
const USUAL_SCOPES: readonly Scope[] = ['sessions:end']
/** The prefix, `<name>_` and 256 random bits in base64url. */
const KEY = /^saoma_([A-Za-z0-9-]{1,32})_[A-Za-z0-9_-]{43}$/
const NAME = /^[A-Za-z0-9-]{1,32}$/
/** Digits of its hash that tell a key of the file from a later one of the same name. */
const ID_DIGITS = 16
const SHA256 = /^[0-9a-f]{64}$/i

const hash = (key: string): Buffer => createHash('sha256').update(key).digest()

/** The name that a key has in itself; empty for a text that is no key. */
export const keyNameOf = (key: string): string => KEY.exec(key)?.[1] ?? ''

/** Whether a key may have this name. */
export const isKeyName = (name: string): boolean => NAME.test(name)
/** Whether a key may have these patterns, which commas separate. */
export const arePatterns = (patterns: string): boolean =>
  patterns.split(',').every((pattern) => patternSyntax.test(pattern))

/** The scopes of a list, which commas separate; undefined if one is none. */
export const readScopes = (text: string): readonly Scope[] | undefined => {
  const all = text.split(',')
  return all.every(isScope) ? all : undefined
}

/**
 * Reads `<name> <sha256 hex> <pattern>[,<pattern>…] [<scope>[,<scope>…]]`, one per line or between
 * semicolons; `#` begins a comment.
 */
export const parseApiKeys = (text: string): ParsedKeys => {
  const entries = new Map<string, Entry>()
  const problems: string[] = []
  for (const [i, line] of text.split(/\r?\n|;/).entries()) {
    const [name, sha256 = '', patterns = '', listed, ...rest] = line.replace(/#.*/, '').trim().split(/\s+/)
    if (!name) continue
    const scopes = listed === undefined ? USUAL_SCOPES : readScopes(listed)
    const wrong = (what: string) => problems.push(`line ${i + 1}: ${what}`)
    // Do not show the line: it may hold the key itself in the place of the hash.
    if (!isKeyName(name)) wrong(`the name ${NAME_RULE}`)
    else if (!SHA256.test(sha256)) wrong('the second word must be the SHA-256 of the key in hex')
    else if (!arePatterns(patterns)) wrong(`the third word ${PATTERNS_RULE}`)
    else if (!scopes || rest.length > 0) wrong(`the fourth word ${SCOPES_RULE}`)
    else if (entries.has(name)) wrong(`the name ${name} is taken; a second key needs a name of its own`)
    else
      entries.set(name, {
        sha256: Buffer.from(sha256, 'hex'),
        backend: {
          kind: 'backend',
          id: `file-${sha256.slice(0, ID_DIGITS).toLowerCase()}`,
          name,
          channels: patterns.split(','),
          may: channelActs,
          scopes,
          expiresAt: Number.POSITIVE_INFINITY,
        },
      })
  }
  return { entries, problems }
}

/** Whether two entries have the same key, channels and scopes, so that connections may stay. */
const same = (a: Entry, b: Entry): boolean =>
  a.sha256.equals(b.sha256) &&
  a.backend.channels.join() === b.backend.channels.join() &&
  a.backend.scopes.join() === b.backend.scopes.join()

/**
 * The keys of backends. A node knows only their hashes. It reads the file again when it changes, so that keys
 * come and go without a restart.
 */
export const createApiKeys = (source: ListText, { onProblem, lookMs }: ApiKeysOptions): ApiKeys => {
  let entries = parseApiKeys(source.text).entries
  let known = new Set([...entries.values()].map(({ backend }) => backend))
  const listeners = new Set<() => void>()

  const take = ({ entries: fresh }: ParsedKeys): void => {
    // An unchanged key keeps its `Backend` object, because connections are compared by that object.
    const merged = new Map(
      [...fresh].map(([name, entry]) => {
        const before = entries.get(name)
        return [name, before && same(before, entry) ? before : entry] as const
      }),
    )
    const changed = merged.size !== entries.size || [...merged].some(([name, entry]) => entries.get(name) !== entry)
    entries = merged
    known = new Set([...merged.values()].map(({ backend }) => backend))
    if (changed) for (const listener of [...listeners]) listener()
  }

  const close = rereadList(source, { parse: parseApiKeys, take, onProblem }, lookMs)

  return {
    find: (key) => {
      const entry = entries.get(keyNameOf(key))
      return entry && timingSafeEqual(entry.sha256, hash(key)) ? entry.backend : undefined
    },
    all: () => [...known],
    isKnown: (who) => known.has(who),
    onChange: (listener) => {
      listeners.add(listener)
      return () => void listeners.delete(listener)
    },
    close,
  }
}
