import { randomBytes } from 'node:crypto'
import { orUnavailable, type RedisClients, RedisUnavailable } from '@saoma/redis'
import type { Account, AccountState, Decision, Meeting, Met, OutsideIdentity, Refused } from './account.ts'
import type { AccountKeys } from './account-keys.ts'
import { type Claims, claimsAfter } from './claims.ts'
import { createContents } from './contents.ts'
import { allOf, follow, lead, linksOf, releaseAll } from './links.ts'
import { createMeetings, FRESH_MS, isClosed } from './meetings.ts'
import { mark, strip, unlist } from './scripts.ts'
import { type AccountSearch, createSearch } from './search.ts'

export type Adopted = 'made' | 'added' | 'known' | 'other' | 'closed' | 'full'

/** Every call rejects with RedisUnavailable when Redis is unavailable, and may then be repeated. */
export interface Accounts extends AccountSearch {
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
   * Gives a known identity the account `sub`, as an import does. `made`: the account is new. `added`: it was
   * there. `known`: it had this identity. `other`: the identity, or its unionid, has another account, and
   * keeps it. `closed`: the account is disabled or deleted. `full`: it has too many identities.
   */
  adopt(identity: OutsideIdentity, sub: string, claims?: Claims): Promise<Adopted>
  /**
   * Adds an identity to an account. `taken`: it has another account. `none`: there is no active account.
   * `full`: the account has too many identities.
   */
  link(sub: string, identity: OutsideIdentity): Promise<'linked' | 'taken' | 'none' | 'full'>
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

  const { write, keep, bear, meet } = createMeetings(redis, contents, isAlone)

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
      let birth: Decision | undefined
      /** The business is asked once about a birth, also if another node is first. */
      const ask: NonNullable<Meeting['decide']> = async (known) => {
        if (!known.isNew) return decide?.(known)
        birth ??= (await decide?.(known)) ?? { allow: true }
        return birth
      }
      for (let turn = 0; turn < TURNS; turn++) {
        const found = await follow(redis, at)
        const known = found.own ?? found.former ?? found.union
        if (known) {
          const met = await meet(identity, at, found, known, ask)
          if (met) return met
          continue
        }
        const waitSeconds = birth ? undefined : await mayBegin?.()
        if (waitSeconds !== undefined) return { allow: false, why: 'RATE_LIMITED', waitSeconds }
        const decision = await ask({ isNew: true })
        if (decision && !decision.allow) return decision
        const { sub = randomBytes(16).toString('base64url') } = decision ?? {}
        // The business may name an account that is there.
        const claims = decision && claimsAfter(decision.sub === undefined ? {} : await claimsOf(sub), decision)
        const born = await bear(identity, at, sub, claims)
        if (born) return born
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
    ...createSearch(redis, accountKeys, identitiesOf),

    adopt: async (identity, sub, claims) => {
      const at = links(identity)
      const decide = async (): Promise<Decision> => ({ allow: true, ...(claims ? { claims } : {}) })
      for (let turn = 0; turn < TURNS; turn++) {
        const found = await follow(redis, at)
        const known = found.own ?? found.former ?? found.union
        if (known && known !== sub) return 'other'
        const met = known ? await meet(identity, at, found, sub, decide) : await bear(identity, at, sub, claims)
        if (!met) continue
        if (!met.allow) return met.why === 'ACCOUNT_DISABLED' ? 'closed' : 'full'
        if (met.isNew) return 'made'
        return (found.own ?? found.former) ? 'known' : 'added'
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
      const [now] = await write(identity, at, sub, { freshMs: FRESH_MS, renew: at.union !== undefined && !found.union })
      if (now === 'full') return now
      if (isClosed(now)) return 'none'
      const leads = await lead(redis, at, sub, found, isAlone())
      if (leads !== sub) {
        await unlist(data, [keys.account(sub)], [at.field, 0])
        return leads === '' ? 'none' : 'taken'
      }
      await replicated()
      if (now === 'new') await keep(identity, at, sub)
      return 'linked'
    },

    unlink: async (sub, identity) => {
      const asked = links(identity)
      const replicated = writing(keys.account(sub), asked.own)
      // Its own link is read first: while somebody is born, the account lists them before.
      const found = await follow(redis, asked)
      const isTheirs = (found.own ?? found.former) === sub
      const listed = (await identitiesOf(sub)).map(links)
      const others = listed.filter(({ own }) => own !== asked.own)
      if (isTheirs && (others.length === 0 || (await unlist(data, [keys.account(sub)], [asked.field, 1])) === 0))
        return 'last'
      // Also if it is not theirs any more: a former call may have stopped in between.
      const at = listed.find(({ own }) => own === asked.own) ?? asked
      const shared: readonly unknown[] = others.map(({ union }) => union)
      const gone = isTheirs ? allOf(at) : at.union ? [at.union] : []
      await releaseAll(
        redis,
        gone.filter((link) => !shared.includes(link)),
        sub,
      )
      await replicated()
      return isTheirs ? 'unlinked' : 'none'
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
      const all = identities.flatMap((identity) => allOf(links(identity)))
      const released = writing(...all)
      await releaseAll(redis, all, sub)
      // While the account still lists them, for a call that repeats this one.
      await released()
      // The link of a former version still leads here, and nobody knows its name.
      await strip(data, [account], [identities.length > 0 ? TOMBSTONE_MS : 0])
      await replicated()
      return true
    },
  }
}
