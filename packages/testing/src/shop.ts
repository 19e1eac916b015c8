import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type App, type AppOptions, startApp } from './app.ts'
import { onCleanup } from './cleanup.ts'
import { apiKeyLine, testApiKey } from './live-settings.ts'

export interface ShopSecrets {
  /** API key with which the shop publishes. */
  apiKey: string
  /** Secret with which the nodes call its hook. */
  hookSecret: string
}

export interface ShopOptions extends Partial<ShopSecrets>, Partial<Pick<AppOptions, 'env' | 'watch' | 'onLine'>> {
  /** Public origin of the cluster. */
  origin: string
  port: number
  /** File of its database. @default a new temporary one, removed at the end */
  database?: string
}

/** The demo's business backend as a process. */
export type Shop = App

const testSecrets: ShopSecrets = { apiKey: testApiKey, hookSecret: 'a secret of tests, which a hook is asked with' }

/** File with the rules for the channels of the demos. */
const rules = fileURLToPath(new URL('../../../apps/shop/channels.json', import.meta.url))

/** Settings for the rest of a cluster with a shop on that port: for every node, and for nginx/render.sh. */
export const shopSettings = (
  port: number,
  { apiKey, hookSecret }: ShopSecrets = testSecrets,
): { env: Record<string, string>; nginxEnv: Record<string, string> } => ({
  env: {
    SAOMA_API_KEYS: apiKeyLine(apiKey, 'room:*,user:*'),
    SAOMA_CHANNELS: rules,
    SAOMA_HOOK_URL: `http://127.0.0.1:${port}/shop/hook`,
    SAOMA_HOOK_SECRET: hookSecret,
  },
  nginxEnv: { NGINX_SHOP: `127.0.0.1:${port}` },
})

export const startShop = async (options: ShopOptions): Promise<Shop> => {
  const { origin, port, database = await temporaryDatabase(), env = {}, ...rest } = options
  const { apiKey = testSecrets.apiKey, hookSecret = testSecrets.hookSecret, ...how } = rest
  return startApp({
    app: 'shop',
    name: 'shop',
    env: {
      HOST: '127.0.0.1',
      PORT: `${port}`,
      SAOMA_ORIGIN: origin,
      SAOMA_API_KEY: apiKey,
      HOOK_SECRET: hookSecret,
      SHOP_DATABASE: database,
      ...env,
    },
    ...how,
  })
}

const temporaryDatabase = async (): Promise<string> => {
  const folder = await mkdtemp(join(tmpdir(), 'saoma-shop-'))
  onCleanup(() => rm(folder, { recursive: true, force: true }))
  return join(folder, 'shop.db')
}
