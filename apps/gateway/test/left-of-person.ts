import { hash } from 'node:crypto'
import { type Person, tracesOf } from './person-life.ts'
import { type Contents, placesOf } from './redis-search.ts'

/* What a deletion leaves of a person: the table of docs/operate.md. */

const MINUTE = 60_000
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR

/** The name of a person in keys of the audit. */
export const owner = (sub: string): string => hash('sha256', `audit ${sub}`, 'base64url').slice(0, 22)

/** Keys that may name a deleted person, with the time after which each is gone at the latest. */
const leftOf = ({ sub }: Pick<Person, 'sub'>): readonly (readonly [RegExp, number])[] => {
  const name = sub.replace(/[-_]/g, '\\$&')
  return [
    [new RegExp(`^saoma:account:\\{${name}\\}$`), 90 * DAY],
    [new RegExp(`^saoma:sessions:\\{${name}\\}$`), 3 * MINUTE],
    [new RegExp(`^saoma:sessions-end:\\{${name}\\}$`), 4 * MINUTE],
    [/^saoma:ticket:/, 10 * MINUTE],
    [/^saoma:oidc:RefreshToken:/, 10 * MINUTE],
    // For applications that could not be told yet.
    [/^saoma:untold:/, 2 * HOUR],
    [/^saoma:oidc:AuthorizationCode:/, MINUTE],
    [/^saoma:oidc:Interaction:/, 15 * MINUTE],
    [new RegExp(`^saoma:channel:\\{user:${name}\\}:ends$`), HOUR],
    [new RegExp(`^saoma:channel:\\{user:${name}\\}:receipt:`), 10 * MINUTE],
    // What was said in a room belongs to the room.
    [/^saoma:channel:\{room:.+\}:(log|meta)$/, 30 * DAY],
    [new RegExp(`:once:account\\.deleted\\.${name}$`), 10 * MINUTE],
    [new RegExp(`:erased:${owner(sub)}$`), 2 * HOUR],
    [new RegExp(`:of:${owner(sub)}$`), 90 * DAY],
    // `account.deleted`, and what browsers asked for without a person.
    [/^saoma:audit:\{(people|strangers)-\d+\}$/, 90 * DAY],
    // Addresses, without whose they are.
    [/^saoma:rate:/, HOUR],
  ]
}

/** Fails if a key has a sentence that the person was told, except tokens whose bearers are told for a day. */
export const expectNoSentence = (contents: Contents, sentence: string): void => {
  const wrong = placesOf(contents, [sentence]).filter((name) => {
    const { ttlMs = -1 } = contents.get(name) ?? {}
    return !name.startsWith('saoma:oidc:RefreshToken:') || ttlMs <= 0 || ttlMs > DAY
  })
  expect(wrong).toEqual([])
}

/** Fails if a key names the person that is not in the table, or lives for longer than that says. */
export const expectNothingElse = (contents: Contents, person: Person): void => {
  const allowed = leftOf(person)
  const wrong = placesOf(contents, [...tracesOf(person), owner(person.sub)]).flatMap((name) => {
    const [, mostMs = 0] = allowed.find(([pattern]) => pattern.test(name)) ?? []
    const { ttlMs = -1, texts = [] } = contents.get(name) ?? {}
    return ttlMs > 0 && ttlMs <= mostMs ? [] : [{ name, ttlMs, mostMs, texts }]
  })
  expect(wrong).toEqual([])
}
