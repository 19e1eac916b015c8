import type { Position } from '@saoma/protocol'
import type { Subscriber } from '@saoma/redis'
import {
  type Answer,
  connectLive,
  type Gateway,
  type LiveClient,
  publish,
  request,
  startGateway,
  startRedis,
  startRedisCluster,
  testAdminKey,
  until,
} from '@saoma/testing'
import { openOperator, roomsOf } from './fixtures.ts'

/** Two nodes over one Redis, as administrators of keys see them. */

export interface Listed {
  name: string
  source: string
  channels: string[]
  may: string[]
  scopes: string[]
  madeBy?: string
  expiresAt?: string
  formerUntil?: string
  firstUsedAt?: string
  lastUsedAt?: string
}
export type Made = Listed & { key: string; code?: string; detail?: string }

export const topologies = {
  standalone: async () => {
    const redis = await startRedis()
    return { url: redis.url, urls: [redis.url] }
  },
  cluster: async () => {
    const { url, nodes } = await startRedisCluster()
    return { url, urls: nodes.map((node) => node.url) }
  },
}
export type Topology = keyof typeof topologies

export const startNodes = async (url: string, env: Record<string, string> = {}): Promise<[Gateway, Gateway]> =>
  (await Promise.all(
    ['a', 'b'].map((nodeId) => startGateway({ redisUrl: url, nodeId, origin: 'http://127.0.0.1', env })),
  )) as [Gateway, Gateway]

export const operatorsOf = (urls: readonly string[]) => Promise.all(urls.map(openOperator))

/** The routes of keys on one node, with one key. */
export const keysOf = ({ internalOrigin }: Gateway, bearer: string = testAdminKey) => {
  const at = `${internalOrigin}/v1/admin/keys`
  return {
    create: (json: unknown): Promise<Answer<Made>> => request(at, { bearer, json }),
    list: (query = ''): Promise<Answer<{ keys: Listed[]; cursor?: string; detail?: string }>> =>
      request(`${at}${query}`, { bearer }),
    rotate: (name: string, json: unknown = {}): Promise<Answer<Made>> =>
      request(`${at}/${name}/rotate`, { bearer, json }),
    revoke: (name: string): Promise<Answer<{ name: string; revoked: boolean; code?: string }>> =>
      request(`${at}/${name}`, { method: 'DELETE', bearer }),
    /** Makes a key that works, and returns it. */
    make: async (json: object): Promise<string> => {
      const { status, body } = await request<Made>(at, { bearer, json })
      if (status !== 201) throw new Error(`expected 201, got ${status}: ${JSON.stringify(body)}`)
      return body.key
    },
  }
}

/** Patterns of a key that is tried here. */
export const ROOMS = { channels: ['room:*'] }
export const newRoom = roomsOf('stored')
/** Publishes with a key. */
export const say = (node: Gateway, key: string) =>
  publish<Position & { code?: string; detail?: string }>(node.origin, { channel: newRoom(), event: 'e', data: 1 }, key)
export const statusOf = async (node: Gateway, key: string): Promise<number> => (await say(node, key)).status
export const untilStatus = (node: Gateway, key: string, wanted: number): Promise<number> =>
  until(
    () => statusOf(node, key),
    (status) => status === wanted,
  )

/** A socket that has connected with a key. */
export const enter = async (node: Gateway, token: string): Promise<LiveClient> => {
  const client = connectLive(node.origin, { token })
  await client.next('connect')
  return client
}

/** A subscription that tells nothing, and a log that says nothing. */
export const deaf = { hold: async () => {}, release: () => {}, on: () => {}, off: () => {} } as unknown as Subscriber
export const silent = { info: () => {}, warn: () => {}, error: () => {} }
