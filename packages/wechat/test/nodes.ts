import { createRedis, type RedisClients } from '@saoma/redis'
import { onCleanup, type RedisServer, type Simulator, startRedis, startSimulator } from '@saoma/testing'
import { createWechat, type Wechat, type WechatEvent, type WechatOptions } from '../src/index.ts'

export interface Counters {
  calls: Record<string, number>
  tokens: { stable: number; normal: number; forced: number }
  codes: number
}

export const tokenPath = '/cgi-bin/stable_token'
export const codePath = '/wxa/getwxacodeunlimit'
export const sessionPath = '/sns/jscode2session'
export const page = 'pages/login/index'
export const scene = 'abcdefghijABCDEFGHIJ_-'

/** WeChat as a process, and the orders it takes. */
export const startWechat = async (): Promise<Simulator & ReturnType<typeof ordersFor>> => {
  const simulator = await startSimulator()
  return { ...simulator, ...ordersFor(simulator) }
}

const ordersFor = ({ origin, env }: Simulator) => {
  const ask = async (path: string, method: string, body?: object): Promise<unknown> => {
    const answer = await fetch(`${origin}/simulator${path}`, {
      method,
      ...(body ? { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } } : {}),
    })
    if (!answer.ok) throw new Error(await answer.text())
    return answer.json()
  }
  return {
    login: async (person: string, blocked = false): Promise<string> =>
      ((await ask('/login', 'POST', { person, blocked })) as { js_code: string }).js_code,
    phoneCode: async (number: string): Promise<string> =>
      ((await ask('/phone', 'POST', { number })) as { code: string }).code,
    fault: (fault: object) => ask('/faults', 'POST', fault),
    clearFaults: () => ask('/faults', 'DELETE'),
    expireTokens: () => ask('/tokens/expire', 'POST'),
    refuseTokens: () => ask('/tokens/refuse', 'POST'),
    advance: (ms: number) => ask('/clock/advance', 'POST', { ms }),
    counters: () => ask('/counters', 'GET') as Promise<Counters>,
    drawn: async () => ((await ask('/codes', 'GET')) as { codes: { scene: string }[] }).codes,
    /** As another system of the same app does that does not share our Redis. */
    forceFromElsewhere: async (): Promise<void> => {
      await fetch(`${origin}${tokenPath}`, {
        method: 'POST',
        body: JSON.stringify({
          grant_type: 'client_credential',
          appid: env.WECHAT_APPID,
          secret: env.WECHAT_SECRET,
          force_refresh: true,
        }),
      })
    },
  }
}

export interface Node {
  wechat: Wechat
  redis: RedisClients
  events: WechatEvent[]
  /** Resolves at the next event of that kind. */
  next(kind: WechatEvent['kind']): Promise<WechatEvent>
}

/** A node of the cluster, cold: its own connections, nothing cached. */
export const startNode = async (
  server: RedisServer,
  simulator: Simulator,
  options: Partial<WechatOptions> & { prefix?: string } = {},
): Promise<Node> => {
  const { prefix, ...rest } = options
  const redis = await createRedis({ url: server.url, ...(prefix ? { prefix } : {}) })
  const events: WechatEvent[] = []
  const waiting = new Map<string, (event: WechatEvent) => void>()
  const wechat = createWechat(redis, {
    appid: simulator.env.WECHAT_APPID,
    secret: simulator.env.WECHAT_SECRET,
    api: simulator.origin,
    page,
    onEvent: (event) => {
      events.push(event)
      waiting.get(event.kind)?.(event)
    },
    ...rest,
  })
  onCleanup(async () => {
    wechat.close()
    await redis.close()
  })
  return { wechat, redis, events, next: (kind) => new Promise((resolve) => waiting.set(kind, resolve)) }
}

let prefixes = 0
/** A cluster of its own on a shared Redis: no test sees another's token. */
export const freshPrefix = (): string => `t${++prefixes}`

export { startRedis }
