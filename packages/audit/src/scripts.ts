import { scriptsIn } from '@saoma/redis'
import * as v from 'valibot'
import type { Raw } from './entry.ts'

const script = scriptsIn('audit', new URL('../lua/', import.meta.url))

/** The eleven arguments of each entry, one after another. */
export type EntryArgs = readonly (string | number)[]

/** Resolves with whether each entry was written, or with `again`. */
export const append = script<
  readonly [part: string, batch: string],
  readonly [
    batch: number,
    most: number,
    keepMs: number,
    mostOwn: number,
    mostBy: number,
    mostPlaces: number,
    placesMs: number,
    owns: string,
    dones: string,
    bys: string,
    places: string,
    erased: string,
    onces: string,
    ...entries: EntryArgs,
  ],
  readonly boolean[] | 'again'
>(
  'append',
  2,
  (raw) => {
    const reply = String(raw)
    return reply === 'AGAIN' ? 'again' : [...reply].map((letter) => letter === '1')
  },
  { neverWhenFull: true },
)

const Page = v.tupleWithRest([v.picklist([0, 1])], v.union([v.string(), v.array(v.string())]))

export const own = script<
  readonly [part: string, own: string, done: string],
  readonly [ms: number | '', seq: number | '', limit: number],
  { more: boolean; found: readonly Raw[] }
>('own', 3, (raw) => {
  const [more, ...flat] = v.parse(Page, raw)
  const found: Raw[] = []
  for (let i = 1; i < flat.length; i += 2) found.push([String(flat[i - 1]), [flat[i] ?? []].flat()])
  return { more: more === 1, found }
})

export const erase = script<
  readonly [part: string, own: string, done: string, places: string, erased: string],
  readonly [ms: number, bys: string],
  number
>('erase', 5, Number, { allowOom: true })
