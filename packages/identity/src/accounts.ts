import { hash, randomBytes } from 'node:crypto'
import { orUnavailable, type RedisClients } from '@saoma/redis'

/**
 * How a person was recognised. The openid stays behind this type: only its hash is stored and no client ever
 * sees it.
 */
export type OutsideIdentity = { via: 'wechat'; appid: string; openid: string } | { via: 'demo'; name: string }

export interface Account {
  /** Random and stable: the only name that tokens carry. */
  sub: string
  /** Shown to the person; known for demo accounts only, since WeChat gives no names. */
  name?: string
}

export interface Accounts {
  /**
   * The account of this identity, made at its first appearance; two nodes that meet it at once agree on one.
   * `mayBegin` is asked before it is made, and says how many seconds to wait if it may not.
   */
  of(
    identity: OutsideIdentity,
    mayBegin?: () => Promise<number | undefined>,
  ): Promise<Account | { waitSeconds: number }>
  find(sub: string): Promise<Account | undefined>
}

/** Accounts have no TTL: they are what a business stores its own data under. */
export const createAccounts = ({ data, keys, writing }: RedisClients): Accounts => ({
  of: async (identity, mayBegin) => {
    const source = identity.via === 'wechat' ? `wechat:${identity.appid}:${identity.openid}` : `demo:${identity.name}`
    const link = keys.accountOf(hash('sha256', source, 'base64url'))
    const name = identity.via === 'demo' ? { name: identity.name } : {}

    const known = await orUnavailable(data.get(link))
    if (known) {
      // Whoever wrote it may have been refused because replicas were missing.
      await writing(link, keys.account(known))()
      return { sub: known, ...name }
    }
    const waitSeconds = await mayBegin?.()
    if (waitSeconds !== undefined) return { waitSeconds }
    const sub = randomBytes(16).toString('base64url')
    const replicated = writing(keys.account(sub), link)
    // The record first: a link never points at an account that is not there.
    await orUnavailable(data.hset(keys.account(sub), { via: identity.via, ...name }))
    const winner = (await orUnavailable(data.set(link, sub, 'NX', 'GET'))) ?? sub
    if (winner !== sub) await orUnavailable(data.unlink(keys.account(sub)))
    await replicated()
    if (winner !== sub) await writing(keys.account(winner))()
    return { sub: winner, ...name }
  },
  find: async (sub) => {
    const record = await orUnavailable(data.hgetall(keys.account(sub)))
    if (!record.via) return undefined
    return record.name ? { sub, name: record.name } : { sub }
  },
})
