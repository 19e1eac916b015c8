import { createHash, randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type PooledCodeAnswer, parseCodePicture, pooledSceneBits } from '@saoma/protocol'
import { createRedis } from '@saoma/redis'
import {
  type Answer,
  attemptPhoneToken,
  type Gateway,
  nodeIds,
  onCleanup,
  type RequestOptions,
  readCode,
  request,
  startGateway,
  startProcess,
  startRedis,
  startSimulator,
  until,
} from '@saoma/testing'
import { createPool, createPoolStore, openCodeStore } from '@saoma/wechat'

const DRAW = '/wxa/getwxacodeunlimit'

export interface PoolNodesOptions {
  /** @default 2 */
  nodes?: number
  env?: Record<string, string>
  /** WeChat draws nothing, so that the pool holds what the test puts into it. @default false */
  dry?: boolean
}

/** Nodes with a pool, a Redis, a WeChat server, and a hand of the test's own in the pool. */
export const startPoolNodes = async ({ nodes: count = 2, env = {}, dry = false }: PoolNodesOptions = {}) => {
  const folder = await mkdtemp(join(tmpdir(), 'saoma-codes-'))
  onCleanup(() => rm(folder, { recursive: true }))
  const [redis, simulator] = await Promise.all([startRedis(), startSimulator()])

  const order = async (path: string, body?: object, method = body ? 'POST' : 'GET') => {
    const answer = await fetch(`${simulator.origin}/simulator${path}`, {
      method,
      ...(body ? { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } } : {}),
    })
    return answer.json()
  }
  const down = () => order('/faults', { path: DRAW, kind: 'down' })
  if (dry) await down()

  const origin = 'http://pool.test'
  const settings = {
    ...simulator.env,
    SAOMA_DEMO: 'false',
    SAOMA_CODES: 'pool',
    SAOMA_POOL_STORE: folder,
    ...env,
  }
  const startNode = (nodeId: string): Promise<Gateway> =>
    startGateway({ redisUrl: redis.url, nodeId, origin, env: settings })
  const nodes = await Promise.all(nodeIds(count).map(startNode))

  const clients = await createRedis({ url: redis.url, probeMs: 0 })
  onCleanup(() => clients.close())
  // Codes that the test has leased itself are free again in a moment.
  const pool = createPool(clients, { appid: simulator.env.WECHAT_APPID, leases: 60, quarantineMs: 1 })
  const store = createPoolStore({ redis: clients, pool, store: openCodeStore(folder) }, simulator.env.WECHAT_APPID)
  await store.recognise()

  return {
    nodes,
    redis,
    simulator,
    clients,
    folder,
    pool,
    store,
    /** Of a program that is no node. */
    settings: {
      ...settings,
      REDIS_URL: redis.url,
      SAOMA_ORIGIN: origin,
      SAOMA_SECRET: 'a secret of tests, which nobody keeps',
    },
    /** Any of them. */
    node: (): string => nodes[Math.floor(Math.random() * nodes.length)]?.origin ?? '',
    /** WeChat draws no more codes. */
    down,
    slow: (ms: number) => order('/faults', { path: DRAW, kind: 'slow', ms }),
    up: () => order('/faults', undefined, 'DELETE'),
    codesDrawn: async (): Promise<number> => (await order('/counters')).codes,
    /** The only code of the pool, without a real picture, leased so many times before. */
    addCode: async (leases = 0): Promise<string> => {
      const scene = randomBytes(pooledSceneBits / 8).toString('base64url')
      const key = `${scene}.jpg`
      const bytes = Buffer.from(`the picture of ${scene}`)
      await store.put(key, bytes, 'image/jpeg')
      await pool.add(scene, { key, type: 'image/jpeg', sha256: createHash('sha256').update(bytes).digest('base64') })
      for (let i = 0; i < leases; i++) {
        await pool.lease(randomBytes(16).toString('base64url'), 1)
        await until(
          () => pool.stock(),
          ({ rested }) => rested === 1,
        )
      }
      return scene
    },
    /** A phone's token; every name is another person. */
    phone: async (person: string, node = nodes[0]?.origin ?? ''): Promise<string> => {
      const { js_code } = await order('/login', { person })
      const { status, body } = await attemptPhoneToken(node, js_code)
      if (status !== 200) throw new Error(`no token: ${JSON.stringify(body)}`)
      return body.access_token
    },
  }
}

export type PoolNodes = Awaited<ReturnType<typeof startPoolNodes>>

/** What a phone's scan of a pooled code asks. */
export const resolve = (
  node: string,
  scene: string,
  bearer: string,
  check?: string,
  options: RequestOptions = {},
): Promise<Answer<PooledCodeAnswer & { code?: string }>> =>
  request(`${node}/v1/codes/${scene}`, { json: check === undefined ? {} : { check }, bearer, ...options })

/** Pictures are the same for ever: each is read once. */
const read = new Map<string, string>()

/** The scene in a picture that the simulator drew. */
export const sceneIn = (jpeg: Buffer): string => {
  const hash = createHash('sha256').update(jpeg).digest('base64')
  const scene = read.get(hash) ?? readCode(jpeg).scene
  read.set(hash, scene)
  return scene
}

/** Reads every picture that is in the store now, which is quicker than one by one. */
export const readAll = async (folder: string): Promise<void> => {
  const reader = await startProcess({
    name: 'picture reader',
    command: process.execPath,
    args: [fileURLToPath(new URL('./read-pictures.ts', import.meta.url)), folder],
  })
  const { code } = await reader.exited
  if (code !== 0) throw new Error(reader.lines.map(({ text }) => text).join('\n'))
  for (const { json } of reader.lines) if (json) read.set(String(json.hash), String(json.scene))
}

/** What a page shows for a ticket: undefined with the answer's status when there is nothing. */
export const look = async (
  node: string,
  ticket: string,
): Promise<{ status: number; scene?: string; check?: string | undefined }> => {
  const answer = await request(`${node}/v1/tickets/${ticket}/qr`, { headers: { accept: 'application/json' } })
  const picture = parseCodePicture(answer.body)
  if (answer.status !== 200 || !picture.ok) return { status: answer.status }
  const jpeg = Buffer.from(picture.value.url.split(',')[1] ?? '', 'base64')
  return { status: 200, scene: sceneIn(jpeg), check: picture.value.check }
}
