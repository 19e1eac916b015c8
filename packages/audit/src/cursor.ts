import { parts } from './parts.ts'

/** A place between two entries of a part: milliseconds and a number. */
export interface Place {
  ms: number
  seq: number
}

export const compare = (a: Place, b: Place): number => a.ms - b.ms || a.seq - b.seq

/** @param id  an id of a stream */
export const placeOf = (id: string): Place => {
  const [ms, seq] = id.split('-')
  return { ms: Number(ms), seq: Number(seq) }
}

export const idOf = ({ ms, seq }: Place): string => `${ms}-${seq}`

/** The places up to which the parts were read, by part. */
export type Places = ReadonlyMap<string, Place>

const PLACE = '(?:[0-9a-z]{1,9}-[0-9a-z]{1,9})?'
/**
 * The syntax of a cursor: a version, and a place of each part. It names places and no entries, so it outlives
 * those that it stood at.
 */
export const cursorPattern: RegExp = new RegExp(`^1(?:\\.${PLACE}){${parts.length}}$`)

export const encodeCursor = (places: Places): string =>
  `1${parts
    .map((part) => {
      const place = places.get(part)
      return `.${place ? `${place.ms.toString(36)}-${place.seq.toString(36)}` : ''}`
    })
    .join('')}`

/** Undefined for text that is no cursor. */
export const decodeCursor = (cursor: string): Places | undefined => {
  if (!cursorPattern.test(cursor)) return undefined
  const [, ...words] = cursor.split('.')
  return new Map(
    words.flatMap((word, i) => {
      const [ms = '', seq = ''] = word.split('-')
      const part = parts[i]
      return word === '' || !part ? [] : [[part, { ms: Number.parseInt(ms, 36), seq: Number.parseInt(seq, 36) }]]
    }),
  )
}
