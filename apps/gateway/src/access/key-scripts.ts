import { scriptsIn } from '@saoma/redis'
import * as v from 'valibot'

const script = scriptsIn('gateway', new URL('../../lua/', import.meta.url))

const Put = v.array(v.picklist(['OK', 'CHANGED', 'FULL', 'REVOKED']))
/** What became of a key that was to be stored. */
export type Put = v.InferOutput<typeof Put>[number]

export const putKeys = script<
  readonly [keys: string, channel: string],
  readonly [version: string, mostKeys: number, mostFields: number, asking: string, ...nameFormerRecord: string[]],
  readonly Put[]
>('put-keys', 2, (raw) => v.parse(Put, raw))

export const revokeKeys = script<
  readonly [keys: string, uses: string, channel: string],
  readonly [version: string, ...nameIdUntil: (string | number)[]],
  readonly boolean[]
>('revoke-keys', 3, (raw) => v.parse(v.array(v.picklist([0, 1])), raw).map((was) => was === 1), {
  // A key must always be revocable. It writes less than it removes.
  allowOom: true,
})

export const clearKeys = script<readonly [keys: string], readonly string[], number>('clear-keys', 1, Number, {
  allowOom: true,
})

export const noteUses = script<
  readonly [uses: string],
  readonly [keepMs: number, most: number, ...idMs: (string | number)[]],
  unknown
>('note-uses', 1, (raw) => raw, { neverWhenFull: true })
