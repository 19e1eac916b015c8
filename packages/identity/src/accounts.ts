import { hash, randomBytes } from 'node:crypto'
import { orUnavailable, type RedisClients } from '@saoma/redis'

/**
 * How a person was recognised. The openid never leaves this type: Redis stores only its hash, and no client
 * ever sees it.
 */
export type OutsideIdentity = { via: 'wechat'; appid: string; openid: string } | { via: 'demo'; name: string }

export interface Account {
  /** Random and stable: the only name of the person in tokens. */
  sub: string
  /** Display name. Only demo accounts have one, because WeChat gives no names. */
  name?: string
}

export interface Accounts {
  /**
   * Returns the account of this identity. The first call creates it; if two nodes call at the same time, both
   * get the same account. Before it creates an account it calls `mayBegin`, which returns the seconds to wait
   * if no account may be created.
   */
  of(
    identity: OutsideIdentity,
    mayBegin?: () => Promise<number | undefined>,
  ): Promise<Account | { waitSeconds: number }>
  find(sub: string): Promise<Account | undefined>
}

/** Accounts have no TTL: a business stores its own data under them. */
export const createAccounts = ({ data, keys, writing }: RedisClients): Accounts => ({
  of: async (identity, mayBegin) => {
    const source = identity.via === 'wechat' ? `wechat:${identity.appid}:${identity.openid}` : `demo:${identity.name}`
    const link = keys.accountOf(hash('sha256', source, 'base64url'))
    const name = identity.via === 'demo' ? { name: identity.name } : {}

    const known = await orUnavailable(data.get(link))
    if (known) {
      // The call that wrote the account may have failed because replicas were missing.
      await writing(link, keys.account(known))()
      return { sub: known, ...name }
    }
    const waitSeconds = await mayBegin?.()
    if (waitSeconds !== undefined) return { waitSeconds }
    const sub = randomBytes(16).toString('base64url')
    const replicated = writing(keys.account(sub), link)
    // Write the record first, so that a link never points to a missing account.
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
