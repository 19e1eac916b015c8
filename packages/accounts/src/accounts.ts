import { randomBytes } from 'node:crypto'
import { orUnavailable, type RedisClients, RedisUnavailable } from '@saoma/redis'
import type { Account, AccountState, Decision, Meeting, OutsideIdentity, Refused } from './account.ts'
import type { AccountKeys } from './account-keys.ts'
import { type Claims, claimsAfter } from './claims.ts'
import { createContents } from './contents.ts'
import { allOf, claim, type Found, follow, type IdentityLinks, linksOf, releaseAll } from './links.ts'
import { type Listed, list, mark, strip, unlist } from './scripts.ts'

export interface Met {
  allow: true
  sub: string
  /** This meeting has created the account. */
  isNew?: true
}

/** Every call rejects with RedisUnavailable when Redis is unavailable, and may then be repeated. */
export interface Accounts {
  /**
   * The account of a person. The first meeting creates it. If several nodes meet the person at the same time,
   * all get the same account, and it `isNew` to one of them.
   */
  of(identity: OutsideIdentity, meeting?: Meeting): Promise<Met | Refused>
  /** Undefined for an account that never was, or was deleted long ago. */
  find(sub: string): Promise<Account | undefined>
  /** The identities of an account. */
  identities(sub: string): Promise<OutsideIdentity[]>
  /**
   * Gives a known identity the account `sub`, as an import does. `other` means that it has another account,
   * which it keeps. `closed` means that the account is disabled or deleted.
   */
  adopt(identity: OutsideIdentity, sub: string, claims?: Claims): Promise<'made' | 'known' | 'other' | 'closed'>
  /** Adds an identity to an account. `taken`: it has another account. `none`: there is no active account. */
  link(sub: string, identity: OutsideIdentity): Promise<'linked' | 'taken' | 'none'>
  /** Takes an identity off an account. `last`: an account keeps its last identity. */
  unlink(sub: string, identity: OutsideIdentity): Promise<'unlinked' | 'last' | 'none'>
  /**
   * Disables an account, or enables it again. Resolves with whether there is one. A disabled account gets
   * no token and scans no code. Tokens that are out stay good until the caller ends the person's sessions.
   */
  setState(sub: string, state: Exclude<AccountState, 'deleted'>): Promise<boolean>
  /**
   * Deletes what Redis holds of an account, but for the fact that this `sub` was deleted. May be repeated.
   * The person's sessions are ended by the caller.
   */
  remove(sub: string): Promise<boolean>
}

export interface AccountsOptions {
  /**
   * Whether all running nodes find people by the new links. As long as it is false, links of the form that
   * former versions read are written as well.
   * @default yes
   */
  isAlone?: () => boolean
}

/** How long an account lives that nobody can know of yet. A birth takes milliseconds. */
const FRESH_MS = 10 * 60_000
/** How long it is known that an account was deleted: longer than any token of it can live. */
const TOMBSTONE_MS = 90 * 24 * 60 * 60_000
/** More turns than there can be nodes that come in between. */
const TURNS = 8

/**
 * Who a `sub` is. SPEC.md has the rules, and why no crash leaves half an account.
 *
 * Accounts and their links have no TTL: a business stores its own data under these names.
 */
export const createAccounts = (
  redis: RedisClients,
  accountKeys: Pick<AccountKeys, 'boxes'>,
  { isAlone = () => true }: AccountsOptions = {},
): Accounts => {
  const { data, keys, writing } = redis
  const contents = createContents(accountKeys.boxes)
  const links = (identity: OutsideIdentity) => linksOf(redis, accountKeys.boxes(), identity)

  /** Writes an identity into an account. `freshMs` 0 keeps the account for good. */
  const write = (
    identity: OutsideIdentity,
    { field }: IdentityLinks,
    sub: string,
    { freshMs = 0, renew = false, claims }: { freshMs?: number; renew?: boolean; claims?: Claims | undefined } = {},
  ): Promise<Listed> => {
    // Only demo people have a name from the start.
    const said: Claims | undefined = claims ?? (identity.provider === 'demo' ? { name: identity.id } : undefined)
    const sealed = [contents.sealIdentity(identity, sub), said ? contents.sealClaims(said, sub) : ''] as const
    return list(
      data,
      [keys.account(sub)],
      [identity.provider, field, sealed[0], renew ? 1 : 0, freshMs, sealed[1], claims ? 1 : 0],
    )
  }

  /** Makes the links of an identity lead to its account. Resolves with the account that its own link has. */
  const lead = async (at: IdentityLinks, sub: string, found: Found): Promise<string> => {
    if (!found.own) {
      const winner = await claim(redis, at.own, sub)
      if (winner !== sub) return winner
    }
    if (at.union && !found.union) await claim(redis, at.union, sub)
    // Nobody reads the former links any more.
    if (found.former && isAlone()) await releaseAll(redis, at.former, sub)
    return sub
  }

  /**
   * Creates the account of an identity that has none: first the account, which lives for a while, then the
   * links, and its own link last, then the account for good. Resolves with false, and leaves nothing behind,
   * if somebody else was first, or with `closed` if the chosen account is no longer active.
   */
  const bear = async (
    identity: OutsideIdentity,
    at: IdentityLinks,
    sub: string,
    claims?: Claims,
  ): Promise<boolean | 'closed'> => {
    const deciding = [...(at.union ? [at.union] : []), ...(isAlone() ? [] : [at.plain]), at.own]
    const account = keys.account(sub)
    const replicated = writing(account, ...deciding)
    const [state] = await write(identity, at, sub, { freshMs: FRESH_MS, claims })
    if (state === 'disabled' || state === 'deleted') return 'closed'
    for (const link of deciding) {
      if ((await claim(redis, link, sub)) === sub) continue
      await releaseAll(redis, allOf(at), sub)
      await unlist(data, [account], [at.field, 0])
      return false
    }
    await replicated()
    const kept = writing(account)
    await write(identity, at, sub, { claims })
    await kept()
    return true
  }

  /** What happens to an identity that has an account. Undefined: not any more, look again. */
  const meet = async (
    identity: OutsideIdentity,
    at: IdentityLinks,
    found: Found,
    sub: string,
    decide: Meeting['decide'],
  ): Promise<Met | Refused | undefined> => {
    // Also without a write: the call that made the links may have failed because replicas were missing.
    const isNewUnion = at.union !== undefined && found.union === undefined
    const replicated = writing(keys.account(sub), at.own, ...(at.union && isNewUnion ? [at.union] : []))
    const [state, sealed] = await write(identity, at, sub, { renew: isNewUnion })
    if (state === 'deleted') {
      await releaseAll(redis, allOf(at), sub)
      return undefined
    }
    if (state === 'disabled') return { allow: false, why: 'ACCOUNT_DISABLED', sub }
    if ((await lead(at, sub, found)) !== sub) {
      await unlist(data, [keys.account(sub)], [at.field, 0])
      return undefined
    }
    // If the account was lost, its claims are lost too, and the business is asked as at the first meeting.
    const decision = await decide?.({ isNew: state === 'new', sub })
    if (decision && !decision.allow) return decision.why === 'ACCOUNT_REFUSED' ? { ...decision, sub } : decision
    const before = contents.openClaims(sealed, sub)
    const claims = decision && claimsAfter(before, decision)
    if (claims && JSON.stringify(claims) !== JSON.stringify(before)) await write(identity, at, sub, { claims })
    await replicated()
    return { allow: true, sub }
  }

  const identitiesOf = async (sub: string): Promise<OutsideIdentity[]> => {
    const fields = Object.entries(await orUnavailable(data.hgetall(keys.account(sub))))
    const all = fields.flatMap(([field, sealed]) =>
      field.startsWith('id:') ? (contents.openIdentity(sealed, sub) ?? []) : [],
    )
    // One that is being linked or taken off may be listed without its link.
    const found = await Promise.all(all.map((identity) => follow(redis, links(identity))))
    return all.filter((_, i) => (found[i]?.own ?? found[i]?.former) === sub)
  }

  const claimsOf = async (sub: string): Promise<Claims> =>
    contents.openClaims(await orUnavailable(data.hget(keys.account(sub), 'claims')), sub)

  const busy = () => new RedisUnavailable('the links of an identity kept changing')

  return {
    of: async (identity, { mayBegin, decide } = {}) => {
      const at = links(identity)
      let decision: Decision | undefined
      for (let turn = 0; turn < TURNS; turn++) {
        const found = await follow(redis, at)
        const known = found.own ?? found.former ?? found.union
        if (known) {
          const met = await meet(identity, at, found, known, decide)
          if (met) return met
          continue
        }
        if (!decision) {
          const waitSeconds = await mayBegin?.()
          if (waitSeconds !== undefined) return { allow: false, why: 'RATE_LIMITED', waitSeconds }
          decision = (await decide?.({ isNew: true })) ?? { allow: true }
        }
        if (!decision.allow) return decision
        const { sub = randomBytes(16).toString('base64url') } = decision
        // The business may name an account that is there.
        const claims = claimsAfter(decision.sub === undefined ? {} : await claimsOf(sub), decision)
        const born = await bear(identity, at, sub, claims)
        if (born === 'closed') return { allow: false, why: 'ACCOUNT_DISABLED' }
        if (born) return { allow: true, sub, isNew: true }
      }
      throw busy()
    },

    find: async (sub) => {
      const [via, state, claims, name] = await orUnavailable(
        data.hmget(keys.account(sub), 'via', 'state', 'claims', 'name'),
      )
      if (!via && !state) return undefined
      return {
        sub,
        state: state === 'disabled' || state === 'deleted' ? state : 'active',
        claims: { ...(name ? { name } : {}), ...contents.openClaims(claims, sub) },
      }
    },

    identities: identitiesOf,

    adopt: async (identity, sub, claims) => {
      const at = links(identity)
      for (let turn = 0; turn < TURNS; turn++) {
        const found = await follow(redis, at)
        const known = found.own ?? found.former ?? found.union
        if (known && known !== sub) return 'other'
        if (!known) {
          const born = await bear(identity, at, sub, claims)
          if (born === 'closed') return born
          if (born) return 'made'
          continue
        }
        const replicated = writing(at.own, keys.account(sub))
        const [state] = await write(identity, at, sub, { renew: at.union !== undefined && !found.union, claims })
        if (state === 'disabled' || state === 'deleted') return 'closed'
        if ((await lead(at, sub, found)) !== sub) continue
        await replicated()
        return found.own ? 'known' : 'made'
      }
      throw busy()
    },

    link: async (sub, identity) => {
      const state = (await orUnavailable(data.hmget(keys.account(sub), 'via', 'state'))) as (string | null)[]
      if (!state[0] || state[1]) return 'none'
      const at = links(identity)
      const replicated = writing(keys.account(sub), at.own)
      const found = await follow(redis, at)
      const known = found.own ?? found.former
      if (known !== undefined && known !== sub) return 'taken'
      const [now] = await write(identity, at, sub)
      if (now === 'disabled' || now === 'deleted') return 'none'
      if ((await lead(at, sub, found)) !== sub) {
        await unlist(data, [keys.account(sub)], [at.field, 0])
        return 'taken'
      }
      await replicated()
      return 'linked'
    },

    unlink: async (sub, identity) => {
      const at = links(identity)
      const replicated = writing(keys.account(sub), at.own)
      const live = (await identitiesOf(sub)).map((each) => links(each).own)
      if (live.length === 1 && live[0] === at.own) return 'last'
      const outcome = await unlist(data, [keys.account(sub)], [at.field, 1])
      if (outcome === 0) return 'last'
      // Also when it is not listed: a former call may have stopped in between.
      const found = await follow(redis, at)
      await releaseAll(redis, allOf(at), sub)
      await replicated()
      return outcome === 1 || found.own === sub ? 'unlinked' : 'none'
    },

    setState: async (sub, state) => {
      const replicated = writing(keys.account(sub))
      const isDone = (await mark(data, [keys.account(sub)], [state])) !== undefined
      await replicated()
      return isDone
    },

    remove: async (sub) => {
      const account = keys.account(sub)
      const replicated = writing(account)
      const fields = await mark(data, [account], ['deleted'])
      if (!fields) return false
      const identities = fields.flatMap((value, i) =>
        i % 2 === 1 && fields[i - 1]?.startsWith('id:') ? (contents.openIdentity(value, sub) ?? []) : [],
      )
      await Promise.all(identities.map((identity) => releaseAll(redis, allOf(links(identity)), sub)))
      // The link of a former version still leads here, and nobody knows its name.
      await strip(data, [account], [identities.length > 0 ? TOMBSTONE_MS : 0])
      await replicated()
      return true
    },
  }
}
