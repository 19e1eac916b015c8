import { orUnavailable, type RedisClients } from '@saoma/redis'
import type { OutsideIdentity } from './account.ts'
import type { AccountKeys } from './account-keys.ts'
import { follow, linksOf, unionLinksOf } from './links.ts'

/** What a person is searched by: an identity, or what identities have in common. */
export type Wanted =
  | Pick<OutsideIdentity, 'provider' | 'app' | 'id'>
  | (Pick<OutsideIdentity, 'provider'> & { union: string })

export interface AccountSearch {
  /**
   * The account that an identity or a unionid leads to; undefined without one. It creates nobody. There is no
   * list of all people: links are named by an HMAC, and nothing names all accounts.
   */
  search(wanted: Wanted): Promise<string | undefined>
}

/** @param identitiesOf  see `Accounts.identities` */
export const createSearch = (
  redis: Pick<RedisClients, 'data' | 'keys'>,
  accountKeys: Pick<AccountKeys, 'boxes'>,
  identitiesOf: (sub: string) => Promise<OutsideIdentity[]>,
): AccountSearch => ({
  search: async (wanted) => {
    if (!('id' in wanted)) {
      const links = unionLinksOf(redis, accountKeys.boxes(), wanted)
      const subs = await Promise.all(links.map((link) => orUnavailable(redis.data.get(link))))
      return subs.find((sub) => sub !== null) ?? undefined
    }
    const { own, former } = await follow(redis, linksOf(redis, accountKeys.boxes(), wanted))
    const sub = own ?? former
    if (sub === undefined) return undefined
    // Of a deletion that was interrupted, links may be left.
    const isTheirs = ({ provider, app, id }: OutsideIdentity) =>
      provider === wanted.provider && app === wanted.app && id === wanted.id
    // An account of a former version lists no identity until its person is met.
    return own === undefined || (await identitiesOf(sub)).some(isTheirs) ? sub : undefined
  },
})
