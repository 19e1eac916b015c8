import { defineScript } from './script.ts'

/** Writes a small value for a while, also into a Redis that is full. Resolves with the value before. */
export const hold = defineScript<[key: string], [value: string | number, ms: number], string | null>(
  [new URL('../lua/hold.lua', import.meta.url)],
  1,
  (raw) => (raw === null ? null : String(raw)),
  { allowOom: true },
)
