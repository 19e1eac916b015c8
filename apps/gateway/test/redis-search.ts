import { type AccountKeys, openAccountKeys } from '@saoma/accounts'
import { createQuickSeal, createRedis, mastersOf, type QuickSeal, type RedisClients } from '@saoma/redis'
import { inLots, onCleanup } from '@saoma/testing'

/*
 * Searches everything that Redis holds, of every type, also what is sealed. A test that says that nothing of
 * a person is left has to find it before.
 */

/** All texts of a key, and its name. */
interface Found {
  texts: readonly string[]
  /** -1 if it stays. */
  ttlMs: number
}

/** A Redis by the names of its keys. */
export type Contents = ReadonlyMap<string, Found>

export interface RedisSearch {
  redis: RedisClients
  accountKeys: AccountKeys
  /** Everything, read once. `sub`: whose account is opened. */
  read(subs: readonly string[]): Promise<Contents>
}

/** What a seal or a box makes: base64url of a nonce, a tag and more. */
const SEALED = /^[A-Za-z0-9_-]{39,}$/

const textsOf = async ({ data }: RedisClients, key: string): Promise<string[]> => {
  switch (await data.type(key)) {
    case 'string':
      return [(await data.get(key)) ?? '']
    case 'hash':
      return Object.entries(await data.hgetall(key)).flat()
    case 'set':
      return data.smembers(key)
    case 'zset':
      return data.zrange(key, '0', '-1')
    case 'list':
      return data.lrange(key, '0', '-1')
    case 'stream':
      return (await data.xrange(key, '-', '+')).flatMap(([, fields]) => fields)
    default:
      return []
  }
}

export const openRedisSearch = async (url: string, secret: string): Promise<RedisSearch> => {
  const redis = await createRedis({ url, probeMs: 0 })
  const accountKeys = await openAccountKeys(redis, { secrets: [secret] })
  onCleanup(async () => {
    accountKeys.close()
    await redis.close()
  })
  const seal: QuickSeal = createQuickSeal({ secrets: [secret], purpose: 'saoma audit' })

  const opened = (text: string, subs: readonly string[]): string[] => {
    if (!SEALED.test(text)) return []
    const places = subs.flatMap((sub) => [`identity ${sub}`, `claims ${sub}`])
    const found = [
      seal.open(text),
      ...accountKeys.boxes().flatMap((box) => places.map((place) => box.open(text, place))),
    ]
    return found.flatMap((each) => (each === undefined ? [] : [each]))
  }

  return {
    redis,
    accountKeys,
    read: async (subs) => {
      const names = (await Promise.all(mastersOf(redis.data).map((master) => master.keys('*')))).flat()
      const contents = new Map<string, Found>()
      await inLots([...new Set(names)], async (name) => {
        const [texts, ttlMs] = await Promise.all([textsOf(redis, name), redis.data.pttl(name)])
        contents.set(name, { texts: [name, ...texts, ...texts.flatMap((text) => opened(text, subs))], ttlMs })
      })
      return contents
    },
  }
}

/** The names of the keys in which one of these texts is found. */
export const placesOf = (contents: Contents, wanted: readonly string[]): string[] =>
  [...contents]
    .filter(([, { texts }]) => texts.some((text) => wanted.some((each) => text.includes(each))))
    .map(([name]) => name)
    .sort()
