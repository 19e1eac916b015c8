import { channelPattern, exactText, userChannel } from '@saoma/protocol'
import * as v from 'valibot'

/** Backends use 0 as often as null for "nobody". If 0 were an id, all strangers would be one person. */
const Uid = v.union([
  v.string(),
  // 64-bit ids keep their exact digits.
  v.pipe(v.unknown(), v.transform(exactText), v.string(), v.regex(/^-?[1-9]\d*$/)),
])

/** What a `uid` of the business is: a person's id, nobody, or something that cannot be an id. */
export type ReadUid = { kind: 'person'; user: string } | { kind: 'nobody' } | { kind: 'invalid'; why: string }

/** Reads a `uid`, from JSON that was parsed by `parseExact`. */
export const readUid = (uid: unknown): ReadUid => {
  if (uid === undefined || uid === null || uid === 0 || uid === '') return { kind: 'nobody' }
  const named = v.safeParse(Uid, uid)
  if (!named.success) return { kind: 'invalid', why: 'this uid is not a valid id' }
  if (!channelPattern.test(userChannel(named.output))) return { kind: 'invalid', why: 'this uid cannot name a channel' }
  return { kind: 'person', user: named.output }
}
