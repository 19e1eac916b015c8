import { scriptsIn } from '@saoma/redis'
import * as v from 'valibot'

const script = scriptsIn('gateway', new URL('../../lua/', import.meta.url))

const Put = v.array(v.picklist(['OK', 'CHANGED', 'FULL', 'REVOKED']))
/** What became of an entry that was to be stored. */
export type Put = v.InferOutput<typeof Put>[number]

export const putEntries = script<
  readonly [table: string, apiKeys: string, channel: string],
  readonly [version: string, mostEntries: number, mostFields: number, asking: string, ...nameFormerRecord: string[]],
  readonly Put[]
>('put-entries', 3, (raw) => v.parse(Put, raw))

export const removeEntries = script<
  readonly [table: string, uses: string, channel: string],
  readonly [version: string, ...nameIdUntil: (string | number)[]],
  readonly boolean[]
>('remove-entries', 3, (raw) => v.parse(v.array(v.picklist([0, 1])), raw).map((was) => was === 1), {
  // It must always be possible to take an entry away. That writes less than it removes.
  allowOom: true,
})

export const clearEntries = script<readonly [table: string], readonly string[], number>('clear-entries', 1, Number, {
  allowOom: true,
})

export const noteUses = script<
  readonly [uses: string],
  readonly [keepMs: number, most: number, ...idMs: (string | number)[]],
  unknown
>('note-uses', 1, (raw) => raw, { neverWhenFull: true })
