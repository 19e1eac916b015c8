import { hash } from 'node:crypto'
import { orUnavailable, type RedisClients } from '@saoma/redis'
import type { OutsideIdentity } from './account.ts'
import type { Box } from './box.ts'
import { release } from './scripts.ts'

/** Keys in Redis that lead from an identity to an account. */
export interface IdentityLinks {
  /** Name of the identity in the account. */
  field: string
  /** Decides whose identity this is. */
  own: string
  /** Leads to the account of people with the same unionid; undefined without one. */
  union?: string
  /** Where the identity may be found as well: by a former key, or as former versions stored it. */
  former: readonly string[]
  /** The last of `former`: the link that nodes of former versions read. */
  plain: string
}

/** What the links say. */
export interface Found {
  own?: string
  former?: string
  union?: string
}

const plainSource = ({ provider, app, id }: OutsideIdentity): string =>
  provider === 'wechat' ? `wechat:${app}:${id}` : `${provider}:${id}`

export const linksOf = (
  { keys }: Pick<RedisClients, 'keys'>,
  [box, ...others]: readonly [Box, ...Box[]],
  identity: OutsideIdentity,
): IdentityLinks => {
  const { provider, app, id, union } = identity
  const source = JSON.stringify([provider, app, id])
  const name = box.name(source)
  const plain = keys.accountOf(hash('sha256', plainSource(identity), 'base64url'))
  return {
    field: `id:${name}`,
    own: keys.accountLink(name),
    ...(union === undefined ? {} : { union: keys.accountLink(box.name(JSON.stringify(['union', provider, union]))) }),
    former: [...others.map((other) => keys.accountLink(other.name(source))), plain],
    plain,
  }
}

/** Where a unionid may lead: by the present key, and by former ones. */
export const unionLinksOf = (
  { keys }: Pick<RedisClients, 'keys'>,
  boxes: readonly Box[],
  { provider, union }: { provider: string; union: string },
): readonly string[] => boxes.map((box) => keys.accountLink(box.name(JSON.stringify(['union', provider, union]))))

const some = <Name extends keyof Found>(name: Name, sub: string | null | undefined) => (sub ? { [name]: sub } : {})

/** Reads where an identity leads to. The former links are read only if its own is missing. */
export const follow = async (
  { data }: Pick<RedisClients, 'data'>,
  { own, union, former }: IdentityLinks,
): Promise<Found> => {
  const get = (link: string) => orUnavailable(data.get(link))
  const [byOwn, byUnion] = await Promise.all([get(own), union === undefined ? null : get(union)])
  const others = byOwn === null ? await Promise.all(former.map(get)) : []
  const byFormer = others.find((sub) => sub !== null)
  return { ...some('own', byOwn), ...some('former', byFormer), ...some('union', byUnion) }
}

/** Makes a link, unless there is one. Resolves with the account that it leads to. */
export const claim = async ({ data }: Pick<RedisClients, 'data'>, link: string, sub: string): Promise<string> =>
  (await orUnavailable(data.set(link, sub, 'NX', 'GET'))) ?? sub

/**
 * Makes the links of an identity lead to its account. Resolves with the account that its own link has, or
 * with an empty text if the account was deleted meanwhile: the deletion may not have seen these links.
 *
 * @param isAlone  whether nobody reads the former links any more
 */
export const lead = async (
  redis: Pick<RedisClients, 'data' | 'keys'>,
  at: IdentityLinks,
  sub: string,
  found: Found,
  isAlone: boolean,
): Promise<string> => {
  const winner = found.own ? sub : await claim(redis, at.own, sub)
  if (winner !== sub) return winner
  if (at.union && !found.union) await claim(redis, at.union, sub)
  if (found.former && isAlone) await releaseAll(redis, at.former, sub)
  const isMade = !found.own || (at.union !== undefined && !found.union)
  if (!isMade || (await orUnavailable(redis.data.hget(redis.keys.account(sub), 'state'))) !== 'deleted') return sub
  await releaseAll(redis, allOf(at), sub)
  return ''
}

/** All links of an identity. */
export const allOf = ({ own, union, former }: IdentityLinks): readonly string[] => [
  own,
  ...(union === undefined ? [] : [union]),
  ...former,
]

/** Removes those of the links that lead to this account. */
export const releaseAll = async (
  { data }: Pick<RedisClients, 'data'>,
  links: readonly string[],
  sub: string,
): Promise<void> => {
  await Promise.all(links.map((link) => release(data, [link], [sub])))
}
