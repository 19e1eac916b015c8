import type { KnownBrowser } from '@saoma/protocol'
import { orUnavailable, type RedisClients } from '@saoma/redis'
import * as v from 'valibot'
import { save } from './scripts.ts'

const Entry = v.object({
  browser: v.string(),
  os: v.string(),
  ip: v.string(),
  since: v.string(),
  last: v.string(),
  /** The session of the last login. */
  sid: v.string(),
})
const readEntry = v.safeParser(v.pipe(v.string(), v.parseJson(), Entry))

/** Of one person. One more takes the place of the one that was used longest ago. */
const MOST = 20
/** How long a browser is remembered in which the person does not log in. */
const KEEP_SECONDS = 180 * 24 * 60 * 60

/** Where somebody has logged in. */
export type Place = Pick<KnownBrowser, 'browser' | 'os' | 'ip'> & { sid: string }

/**
 * The browsers that may ask a person's phone for a login: those in which the person has logged in, and which
 * have proven a key of theirs then. `id` is the thumbprint of that key. Calls reject with RedisUnavailable.
 */
export interface KnownBrowsers {
  remember(sub: string, id: string, place: Place): Promise<void>
  knows(sub: string, id: string): Promise<boolean>
  /** The one that was used last comes first. */
  list(sub: string): Promise<KnownBrowser[]>
  /** Resolves with whether it was there. */
  forget(sub: string, id: string): Promise<boolean>
  /** Forgets the browser of a session. */
  forgetSession(sub: string, sid: string): Promise<void>
}

export const createKnownBrowsers = ({
  data,
  keys,
  writing,
}: Pick<RedisClients, 'data' | 'keys' | 'writing'>): KnownBrowsers => {
  const readAll = async (sub: string) => {
    const oldest = Date.now() - KEEP_SECONDS * 1_000
    const fields = await orUnavailable(data.hgetall(keys.browsers(sub)))
    const known = Object.entries(fields)
      .flatMap(([id, text]) => {
        const entry = readEntry(text)
        return entry.success && Date.parse(entry.output.last) > oldest ? [{ id, ...entry.output }] : []
      })
      .sort((a, b) => b.last.localeCompare(a.last))
    return { known, ids: Object.keys(fields) }
  }
  const read = async (sub: string) => (await readAll(sub)).known

  const forget = async (sub: string, ...ids: string[]): Promise<boolean> => {
    const replicated = writing(keys.browsers(sub))
    const count = ids.length > 0 ? await orUnavailable(data.hdel(keys.browsers(sub), ...ids)) : 0
    await replicated()
    return count > 0
  }

  return {
    remember: async (sub, id, place) => {
      const at = keys.browsers(sub)
      const { known, ids } = await readAll(sub)
      const last = new Date().toISOString()
      const since = known.find((browser) => browser.id === id)?.since ?? last
      const entry = JSON.stringify({ ...place, since, last } satisfies v.InferInput<typeof Entry>)
      await save(data, [at], [KEEP_SECONDS, id, entry])
      const others = known.map((browser) => browser.id).filter((one) => one !== id)
      const kept = [id, ...others.slice(0, MOST - 1)]
      const surplus = ids.filter((one) => !kept.includes(one))
      if (surplus.length > 0) await forget(sub, ...surplus)
    },
    knows: async (sub, id) => (await read(sub)).some((browser) => browser.id === id),
    list: async (sub) => (await read(sub)).map(({ sid: _, ...browser }) => browser),
    forget,
    forgetSession: async (sub, sid) => {
      const ids = (await read(sub)).flatMap((browser) => (browser.sid === sid ? [browser.id] : []))
      if (ids.length > 0) await forget(sub, ...ids)
    },
  }
}
