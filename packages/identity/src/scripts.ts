import { defineScript } from '@saoma/redis'

const lua = (name: string) => new URL(`../lua/${name}.lua`, import.meta.url)
const first = (raw: unknown): boolean => raw === 1

export const save = defineScript<readonly [record: string], readonly [payload: string, ttlSeconds: number], boolean>(
  [lua('save')],
  1,
  first,
)

export const prolong = defineScript<readonly [grant: string], readonly [until: number], boolean>(
  [lua('prolong')],
  1,
  first,
)

export const enlist = defineScript<
  readonly [sessions: string],
  readonly [sid: string, entry: string, ttlSeconds: number],
  number
>([lua('enlist')], 1, Number)

export const consume = defineScript<readonly [record: string], readonly [usedAt: number], boolean>(
  [lua('consume')],
  1,
  first,
)

export const swap = defineScript<readonly [value: string], readonly [expected: string, replacement: string], boolean>(
  [lua('swap')],
  1,
  first,
)
