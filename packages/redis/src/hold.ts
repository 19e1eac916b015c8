import { script } from './script.ts'

/** Writes a small value for a while, also into a Redis that is full. Resolves with the value before. */
export const hold = script<[key: string], [value: string | number, ms: number], string | null>(
  'hold',
  1,
  (raw) => (raw === null ? null : String(raw)),
  { allowOom: true },
)
