import { scriptsIn } from '@saoma/redis'
import * as v from 'valibot'
import { type Fields, fieldsOf } from './record-form.ts'

const script = scriptsIn('identity', new URL('../lua/', import.meta.url))
const first = (raw: unknown): boolean => raw === 1

export const save = script<readonly [record: string], readonly [ttlSeconds: number, ...fields: string[]], boolean>(
  'save',
  1,
  first,
)

export const prolong = script<
  readonly [grant: string],
  readonly [until: number, token: string, most: number, windowSeconds: number],
  { isThere: boolean; waitSeconds?: number }
>('prolong', 1, (raw) => {
  const answer = Number(raw)
  return { isThere: answer !== 0, ...(answer < 0 ? { waitSeconds: -answer } : {}) }
})

const List = v.array(v.string())

/** `unannounced`: nothing was done, because the end has to be announced first. */
export const take = script<
  readonly [grant: string, untold: string],
  readonly [sid: string, keepMs: number, announced: 0 | 1, owner: string],
  Fields | 'unannounced' | undefined
>(
  'take',
  2,
  (raw) => {
    if (raw === 1) return 'unannounced'
    const list = v.parse(List, raw)
    return list.length === 0 ? undefined : fieldsOf(list)
  },
  { allowOom: true },
)

const sidsOf = v.parser(List)

export const ending = script<readonly [sessions: string], readonly string[], string[]>(
  'ending',
  1,
  (raw) => sidsOf(raw),
  { allowOom: true },
)

export const ended = script<readonly [sessions: string], readonly [keepMs: number, ...sids: string[]], string[]>(
  'ended',
  1,
  (raw) => sidsOf(raw),
  // Each mark is a few bytes and replaces an entry.
  { allowOom: true },
)

const Marked = v.tuple([List, List])

export const endAll = script<
  readonly [sessions: string, lastEnd: string],
  readonly [mark: string, keepMs: number, keep: string],
  { before: string[]; now: string[] }
>(
  'end-all',
  2,
  (raw) => {
    const [before, now] = v.parse(Marked, raw)
    return { before, now }
  },
  // One short key with a TTL of minutes, and marks that replace entries.
  { allowOom: true },
)

export const addSession = script<
  readonly [sessions: string, lastEnd: string],
  readonly [sid: string, entry: string, ttlSeconds: number, scannedAfter: string, dated: 0 | 1],
  number
>('add-session', 2, Number)

export const replaceEntry = script<
  readonly [sessions: string],
  readonly [sid: string, expected: string, replacement: string],
  boolean
>('replace-entry', 1, first)

export const noteEnd = script<readonly [record: string], readonly [keepSeconds: number, note: string], boolean>(
  'note-end',
  1,
  first,
  { allowOom: true },
)

export const consume = script<readonly [record: string], readonly [keepSeconds: number], boolean>('consume', 1, first)

export const markUsed = script<
  readonly [used: string],
  readonly [mark: string, mostBytes: number, ttlSeconds: number],
  boolean
>('mark-used', 1, first)

export const isUsed = script<readonly [used: string], readonly [mark: string], boolean>('is-used', 1, first)

const Recalled = v.union([v.tuple([List, v.number(), v.number()]), v.tuple([])])

/** `mayRepeat`: whether its successor can be derived again. */
export const loadToken = script<
  readonly [record: string],
  readonly [],
  { fields: Fields; usedSecondsAgo?: number; mayRepeat: boolean } | undefined
>('load-token', 1, (raw) => {
  const [list, age, salted] = v.parse(Recalled, raw)
  if (list === undefined || age === undefined) return undefined
  return { fields: fieldsOf(list), ...(age < 0 ? {} : { usedSecondsAgo: age }), mayRepeat: salted === 1 }
})

const Succeeded = v.union([v.tuple([v.string(), v.number()]), v.tuple([])])

export const chooseSuccessor = script<
  readonly [record: string],
  readonly [salt: string],
  { salt: string; isRepeat: boolean } | undefined
>('choose-successor', 1, (raw) => {
  const [salt, used] = v.parse(Succeeded, raw)
  return salt === undefined ? undefined : { salt, isRepeat: used === 1 }
})

export const swap = script<
  readonly [value: string, known: string],
  readonly [expected: string, replacement: string, known: string],
  boolean
>('swap', 2, first)

export const enter = script<readonly [grant: string], readonly [client: string], boolean>('enter', 1, first)

// What is on the list has just ended, and what was deleted for it needed more. Or it is a request that has
// just been admitted.
export const schedule = script<readonly [due: string], readonly [id: string, delayMs: number, keepMs: number], boolean>(
  'schedule',
  1,
  first,
  { allowOom: true },
)

export const claim = script<readonly [due: string], readonly [leaseMs: number, most: number], string[]>(
  'claim',
  1,
  (raw) => sidsOf(raw),
  { allowOom: true },
)

const Tried = v.tuple([v.number(), v.number()])

export const told = script<readonly [untold: string], readonly string[], { tries: number; left: number }>(
  'told',
  1,
  (raw) => {
    const [tries, left] = v.parse(Tried, raw)
    return { tries, left }
  },
  { allowOom: true },
)
