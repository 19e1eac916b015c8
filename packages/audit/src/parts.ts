import { hash } from 'node:crypto'
import type { Note } from './entry.ts'
import { kinds } from './kinds.ts'

/**
 * The hash tags of the parts. Their slots are spread evenly over all slots, so that in a Redis Cluster each
 * master has some of them. All entries of a person are in one part, which keeps their order.
 */
const PEOPLE = ['people-12', 'people-1', 'people-13', 'people-0', 'people-10', 'people-3', 'people-11', 'people-2']
/** Parts of what strangers can cause. */
const STRANGERS = ['strangers-1', 'strangers-0', 'strangers-3', 'strangers-2']

/** All parts. A cursor has their order, so a new one may only be added at the end, with another cursor. */
export const parts: readonly string[] = [...PEOPLE, ...STRANGERS]

/** The share of all entries that strangers can cause. */
const SHARE_OF_STRANGERS = 1 / 4

/** How many entries a part has at most, of so many in all. */
export const mostOf = (part: string, entries: number): number =>
  Math.ceil(
    STRANGERS.includes(part)
      ? (entries * SHARE_OF_STRANGERS) / STRANGERS.length
      : (entries * (1 - SHARE_OF_STRANGERS)) / PEOPLE.length,
  )

/** A person can take so much of their part, however few entries it has, and an API key of each part. */
const SHARE_OF_ONE = 1 / 10

/** How many entries of one API key a part keeps, of so many entries in all. */
export const mostByOf = (part: string, entries: number): number =>
  Math.max(1, Math.floor(mostOf(part, entries) * SHARE_OF_ONE))

/** How many entries of one person are kept, of so many entries in all. */
export const mostOwnOf = (part: string, entries: number, mostOwn: number): number =>
  Math.min(Math.max(1, mostOwn), mostByOf(part, entries))

const pick = (from: readonly string[], name: string): string =>
  from[Number.parseInt(hash('sha256', name, 'hex').slice(0, 8), 16) % from.length] ?? ''

/** The part of a person. */
export const partOfPerson = (person: string): string => pick(PEOPLE, person)

/** The API key that did what is noted. Of a change of a key `key` is the one that was changed. */
export const actingKeyOf = ({ kind, by, key, reason }: Note): string | undefined =>
  by !== 'backend' ? undefined : kind.startsWith('key.') && kind !== 'key.used' ? reason : key

/** The part of a note: that of its person, of the API key that did it, or of whatever else it is about. */
export const partOf = (note: Note): string => {
  const { kind, person, ticket, sid, key, reason } = note
  if (kinds[kind] === 'strangers') return pick(STRANGERS, ticket ?? reason ?? kind)
  return person === undefined ? pick(PEOPLE, actingKeyOf(note) ?? key ?? ticket ?? sid ?? kind) : partOfPerson(person)
}

/** What stands for a person who is to be forgotten. */
export const hashOf = (person: string): string => hash('sha256', `audit ${person}`, 'base64url').slice(0, 22)
