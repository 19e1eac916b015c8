import { defineScript } from '@saoma/redis'

const lua = (name: string) => new URL(`../lua/${name}.lua`, import.meta.url)
const first = (raw: unknown): boolean => raw === 1

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
