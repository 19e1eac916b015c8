import { script } from './script.ts'

/** Writes a small value with a TTL, also to a full Redis. Resolves with the value before. */
export const hold = script<[key: string], [value: string | number, ms: number], string | null>(
  'hold',
  1,
  (raw) => (raw === null ? null : String(raw)),
  { allowOom: true },
)
