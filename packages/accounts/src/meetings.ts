import type { RedisClients } from '@saoma/redis'
import type { Meeting, Met, OutsideIdentity, Refused } from './account.ts'
import { type Claims, claimsAfter } from './claims.ts'
import type { Contents } from './contents.ts'
import { allOf, claim, type Found, type IdentityLinks, lead, releaseAll } from './links.ts'
import { type Listed, list, unlist } from './scripts.ts'

/** What happens when an identity comes. SPEC.md has the order of the writes. */
export interface Meetings {
  /** Writes an identity into an account, and keeps it for good, or for `freshMs` if it is not kept yet. */
  write(
    identity: OutsideIdentity,
    at: IdentityLinks,
    sub: string,
    how?: { freshMs?: number; renew?: boolean; claims?: Claims | undefined; before?: string | undefined },
  ): Promise<Listed>
  /**
   * Keeps an account for good. Its links have to be safe before. With `before`, sealed claims, nothing is
   * written if the account has other ones by now.
   */
  keep(identity: OutsideIdentity, at: IdentityLinks, sub: string, claims?: Claims, before?: string): Promise<Listed>
  /**
   * Creates the account of an identity that has none: first the account, which lives for a while, then the
   * links, and its own link last, then the account for good. Undefined if somebody else was first: then it
   * leaves nothing behind, and the caller looks again.
   */
  bear(identity: OutsideIdentity, at: IdentityLinks, sub: string, claims?: Claims): Promise<Met | Refused | undefined>
  /** An identity that has an account comes. Undefined: it has it no longer, and the caller looks again. */
  meet(
    identity: OutsideIdentity,
    at: IdentityLinks,
    found: Found,
    sub: string,
    decide: Meeting['decide'],
  ): Promise<Met | Refused | undefined>
}

/** How long an account lives that nobody can know of yet. A birth takes milliseconds. */
export const FRESH_MS = 10 * 60_000
/**
 * Identities of one account: more than a company has apps. A business that names the same `sub` for everybody
 * by mistake is noticed early.
 */
const MOST_IDENTITIES = 100

export const isClosed = (state: Listed[0]): state is 'disabled' | 'deleted' | 'full' =>
  state === 'disabled' || state === 'deleted' || state === 'full'

/** Why nobody gets this account. */
const closed = (state: 'disabled' | 'deleted' | 'full'): Refused =>
  state === 'full'
    ? { allow: false, why: 'ACCOUNT_REFUSED', reason: `this sub has ${MOST_IDENTITIES} identities already` }
    : { allow: false, why: 'ACCOUNT_DISABLED' }

export const createMeetings = (redis: RedisClients, contents: Contents, isAlone: () => boolean): Meetings => {
  const { data, keys, writing } = redis

  const write: Meetings['write'] = (identity, { field }, sub, how = {}) => {
    const { freshMs = 0, renew = false, claims, before } = how
    // Only demo people have a name from the start.
    const said: Claims | undefined = claims ?? (identity.provider === 'demo' ? { name: identity.id } : undefined)
    const replace = !claims ? 0 : before === undefined ? 1 : 2
    const sealed = [contents.sealIdentity(identity, sub), said ? contents.sealClaims(said, sub) : ''] as const
    return list(
      data,
      [keys.account(sub)],
      [identity.provider, field, sealed[0], renew ? 1 : 0, freshMs, sealed[1], replace, MOST_IDENTITIES, before ?? ''],
    )
  }

  const keep: Meetings['keep'] = async (identity, at, sub, claims, before) => {
    const kept = writing(keys.account(sub))
    const listed = await write(identity, at, sub, { claims, before })
    await kept()
    return listed
  }

  const bear: Meetings['bear'] = async (identity, at, sub, claims) => {
    const deciding = [...(at.union ? [at.union] : []), ...(isAlone() ? [] : [at.plain]), at.own]
    const account = keys.account(sub)
    const replicated = writing(account, ...deciding)
    const [state] = await write(identity, at, sub, { freshMs: FRESH_MS, claims })
    if (isClosed(state)) return closed(state)
    for (const link of deciding) {
      if ((await claim(redis, link, sub)) === sub) continue
      await releaseAll(redis, allOf(at), sub)
      await unlist(data, [account], [at.field, 0])
      return undefined
    }
    await replicated()
    const [kept] = await keep(identity, at, sub, claims)
    if (!isClosed(kept)) return { allow: true, sub, ...(kept === 'new' ? { isNew: true } : {}) }
    if (kept === 'deleted') await releaseAll(redis, allOf(at), sub)
    return closed(kept)
  }

  const meet: Meetings['meet'] = async (identity, at, found, sub, decide) => {
    // Also without a write: the call that made the links may have failed because replicas were missing.
    const isNewUnion = at.union !== undefined && found.union === undefined
    const replicated = writing(keys.account(sub), at.own, ...(at.union && isNewUnion ? [at.union] : []))
    const [state, sealed] = await write(identity, at, sub, { freshMs: FRESH_MS, renew: isNewUnion })
    if (state === 'deleted') {
      await releaseAll(redis, allOf(at), sub)
      return undefined
    }
    if (isClosed(state)) return { ...closed(state), sub }
    if ((await lead(redis, at, sub, found, isAlone())) !== sub) {
      await unlist(data, [keys.account(sub)], [at.field, 0])
      return undefined
    }
    // If the account was lost, its claims are lost too, and the business is asked as at the first meeting.
    const decision = await decide?.({ isNew: state === 'new', sub })
    if (decision && !decision.allow) return decision.why === 'ACCOUNT_REFUSED' ? { ...decision, sub } : decision
    await replicated()
    // The decision may have taken seconds. Whatever another meeting wrote meanwhile counts as said before.
    for (let seen = sealed; ; ) {
      const before = contents.openClaims(seen, sub)
      const claims = decision && claimsAfter(before, decision)
      const differ = claims && JSON.stringify(claims) !== JSON.stringify(before)
      if (state === 'active' && !differ) return { allow: true, sub }
      const [kept, now] = await keep(identity, at, sub, claims, seen)
      if (isClosed(kept)) return { ...closed(kept), sub }
      if (kept !== 'changed') return { allow: true, sub, ...(kept === 'new' ? { isNew: true } : {}) }
      seen = now
    }
  }

  return { write, keep, bear, meet }
}
