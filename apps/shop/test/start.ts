import { randomUUID } from 'node:crypto'
import {
  type Answer,
  type Cluster,
  freePort,
  request,
  type Shop,
  shopSettings,
  startCluster,
  startShop,
} from '@saoma/testing'
import type { Edit, Order } from '../src/order.ts'

/** Between the shop and the courier of these tests. */
export const courierSecret = 'a secret of tests and of a courier'

export interface Restaurant {
  cluster: Cluster
  shop: Shop
  /** Asks the shop as that person. */
  get<T>(path: string, token?: string): Promise<Answer<T>>
  post<T>(path: string, token: string | undefined, json: unknown): Promise<Answer<T>>
  edit(table: string, token: string, edit: Edit, options?: { based?: number; id?: string }): Promise<Answer<EditAnswer>>
}

/** The order; of a refusal, a problem that holds it. */
export type EditAnswer = Order & { code?: string; order?: Order }

/** A cluster of two nodes with the shop behind the same nginx. */
export const startRestaurant = async (courierMs: number): Promise<Restaurant> => {
  const port = await freePort()
  const cluster = await startCluster({ nodes: 2, ...shopSettings(port) })
  const { origin } = cluster
  const env = { SHOP_COURIER_MS: `${courierMs}`, SHOP_COURIER_SECRET: courierSecret }
  const shop = await startShop({ origin, port, env })
  const bearer = (token: string | undefined) => (token ? { bearer: token } : {})
  const post: Restaurant['post'] = (path, token, json) => request(`${origin}/shop/${path}`, { json, ...bearer(token) })
  return {
    cluster,
    shop,
    get: (path, token) => request(`${origin}/shop/${path}`, bearer(token)),
    post,
    edit: (table, token, edit, { based = 0, id = randomUUID() } = {}) =>
      post(`tables/${table}/edits`, token, { id, based, name: 'Ana', edit }),
  }
}
