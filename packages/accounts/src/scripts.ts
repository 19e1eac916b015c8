import { scriptsIn } from '@saoma/redis'
import * as v from 'valibot'

const script = scriptsIn('accounts', new URL('../lua/', import.meta.url))

const Listed = v.tuple([v.picklist(['active', 'new', 'disabled', 'deleted', 'full', 'changed']), v.string()])
export type Listed = v.InferOutput<typeof Listed>
type Flag = 0 | 1

export const list = script<
  readonly [account: string],
  readonly [
    via: string,
    field: string,
    sealed: string,
    renew: Flag,
    freshMs: number,
    claims: string,
    replaceClaims: 0 | 1 | 2,
    most: number,
    before: string,
  ],
  Listed
>('list', 1, (raw) => v.parse(Listed, raw))

const Unlisted = v.picklist([1, 0, -1])

export const unlist = script<readonly [account: string], readonly [field: string, keepLast: Flag], 1 | 0 | -1>(
  'unlist',
  1,
  (raw) => v.parse(Unlisted, raw),
  // It frees memory.
  { allowOom: true },
)

export const release = script<readonly [link: string], readonly [sub: string], boolean>(
  'release',
  1,
  (raw) => raw === 1,
  { allowOom: true },
)

const Marked = v.tupleWithRest([v.picklist(['OK', 'NO_ACCOUNT'])], v.string())

/** Resolves with the fields and their values, or undefined. */
export const mark = script<
  readonly [account: string],
  readonly [state: 'active' | 'disabled' | 'deleted'],
  readonly string[] | undefined
>(
  'mark',
  1,
  (raw) => {
    const [word, ...fields] = v.parse(Marked, raw)
    return word === 'OK' ? fields : undefined
  },
  // A person must always be able to be locked out or deleted. It writes one word.
  { allowOom: true },
)

export const strip = script<readonly [account: string], readonly [keepMs: number], boolean>(
  'strip',
  1,
  (raw) => raw === 1,
  { allowOom: true },
)

export const swap = script<readonly [accountKeys: string], readonly [expected: string, replacement: string], boolean>(
  'swap',
  1,
  (raw) => raw === 1,
)
