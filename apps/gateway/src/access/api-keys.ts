import { createHash, timingSafeEqual } from 'node:crypto'
import { readFile, stat } from 'node:fs/promises'
import { type Backend, patternSyntax } from './principal.ts'
import type { KeyRing } from './revocation-watch.ts'

/** The list of keys as it was at the start, and the file it came from if it did: that one may change. */
export interface ApiKeyList {
  text: string
  file?: string
}

export interface ApiKeysOptions {
  /** Why a changed file was not taken over; the keys before it stay good. Told once for each change. */
  onProblem: (problems: readonly string[]) => void
  /** Milliseconds between two looks at the file. @default 2000 */
  lookMs?: number
}

export interface ApiKeys extends KeyRing {
  /** The backend that bears this key, or undefined when nobody does. */
  find(key: string): Backend | undefined
  close(): void
}

interface Entry {
  sha256: Buffer
  backend: Backend
}

const LOOK_MS = 2_000
/** How API keys begin, and no other token. */
export const API_KEY_PREFIX = 'saoma_'
/** The prefix, `<name>_` and 256 random bits in base64url. */
const KEY = /^saoma_([A-Za-z0-9-]{1,32})_[A-Za-z0-9_-]{43}$/
const NAME = /^[A-Za-z0-9-]{1,32}$/
const SHA256 = /^[0-9a-f]{64}$/i

const hash = (key: string): Buffer => createHash('sha256').update(key).digest()

/**
 * Reads `<name> <sha256 hex> <pattern>[,<pattern>…]`, one per line or between semicolons; `#` begins a
 * comment.
 */
export const parseApiKeys = (text: string): { entries: ReadonlyMap<string, Entry>; problems: string[] } => {
  const entries = new Map<string, Entry>()
  const problems: string[] = []
  for (const [i, line] of text.split(/\r?\n|;/).entries()) {
    const [name, sha256 = '', patterns = '', ...rest] = line.replace(/#.*/, '').trim().split(/\s+/)
    if (!name) continue
    const channels = patterns.split(',')
    const wrong = (what: string) => problems.push(`line ${i + 1}: ${what}`)
    // The line itself is not shown: somebody may have put the key where its hash belongs.
    if (!NAME.test(name)) wrong('the name must be 1 to 32 of A-Z, a-z, 0-9 and -')
    else if (!SHA256.test(sha256)) wrong('the second word must be the SHA-256 of the key in hex')
    else if (rest.length > 0 || !channels.every((pattern) => patternSyntax.test(pattern)))
      wrong('the third word must list patterns such as room:*,user:*')
    else if (entries.has(name)) wrong(`the name ${name} is taken; a second key needs a name of its own`)
    else
      entries.set(name, {
        sha256: Buffer.from(sha256, 'hex'),
        backend: { kind: 'backend', name, channels, expiresAt: Number.POSITIVE_INFINITY },
      })
  }
  return { entries, problems }
}

/** Whoever has this entry may go on as before: same key, same channels. */
const same = (a: Entry, b: Entry): boolean =>
  a.sha256.equals(b.sha256) && a.backend.channels.join() === b.backend.channels.join()

/**
 * The keys of backends. Only their hashes are known here. A file is looked at again and again, so that keys
 * come and go without a restart; by its path and not by a watch, which would stay with the old file when a
 * deployment swaps links.
 */
export const createApiKeys = ({ text, file }: ApiKeyList, { onProblem, lookMs = LOOK_MS }: ApiKeysOptions): ApiKeys => {
  let entries = parseApiKeys(text).entries
  let known = new Set([...entries.values()].map(({ backend }) => backend))
  const listeners = new Set<() => void>()

  const replace = (fresh: ReadonlyMap<string, Entry>): void => {
    // A key that did not change keeps its backend: connections are known by that object.
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

  const signature = async (path: string): Promise<string> => {
    const { mtimeNs, ctimeNs, size, ino } = await stat(path, { bigint: true })
    return [mtimeNs, ctimeNs, size, ino].join()
  }

  let seen: string | undefined
  let looking = false
  const look = async (path: string): Promise<void> => {
    if (looking) return
    looking = true
    try {
      const now = await signature(path)
      if (now === seen) return
      const fresh = parseApiKeys(await readFile(path, 'utf8'))
      // Written to while it was read: the next look sees it whole.
      if ((await signature(path)) !== now) return
      seen = now
      if (fresh.problems.length > 0) onProblem(fresh.problems)
      else replace(fresh.entries)
    } catch (error) {
      const reason = (error as NodeJS.ErrnoException).code ?? String(error)
      if (seen === reason) return
      seen = reason
      onProblem([`it cannot be read (${reason})`])
    } finally {
      looking = false
    }
  }
  const timer = file === undefined ? undefined : setInterval(() => void look(file), lookMs).unref()

  return {
    find: (key) => {
      const entry = entries.get(KEY.exec(key)?.[1] ?? '')
      return entry && timingSafeEqual(entry.sha256, hash(key)) ? entry.backend : undefined
    },
    isKnown: (who) => known.has(who),
    onChange: (listener) => {
      listeners.add(listener)
      return () => void listeners.delete(listener)
    },
    close: () => clearInterval(timer),
  }
}
