import type { WriteStream } from 'node:fs'
import { join } from 'node:path'
import {
  type App,
  cleanUp,
  freePort,
  type Line,
  type Nginx,
  nodeIds,
  pageFolder,
  type RedisServer,
  type Restartable,
  type Shop,
  type Simulator,
  shopSettings,
  startApp,
  startNginx,
  startRedis,
  startShop,
  startSimulator,
} from '@saoma/testing'
import { writeEnvFile } from './env-file.ts'
import type { Folder } from './folder.ts'
import { keepKeyFile } from './key-file.ts'
import { joinLiveSettings } from './live-settings.ts'
import { supervise } from './supervise.ts'
import { wechatSettings } from './wechat-side.ts'

export interface LocalOptions {
  nodes: number
  /** nginx listens on this address and port. */
  host: string
  port: number
  /** The origin that browsers and phones use. */
  origin: string
  watch: boolean
  /** Codes of a mini-program instead of demo phones. */
  wechat: boolean
  /** Settings of the nodes from the user's environment. */
  settings: Record<string, string>
  /** After this signal the cluster restarts nothing. */
  signal: AbortSignal
}

/** A running local cluster. */
export interface LocalCluster {
  nodes: readonly { id: string; app: App }[]
  shop: App
  /** The simulator of WeChat's server. */
  simulator: Simulator
  /** Resolves when everything has stopped, in an order that loses nothing. */
  stop(): Promise<void>
}

type Say = (sentence: string) => void

/** Starts everything, Redis first. Restarts any process that ends by itself. */
export const startLocalCluster = async (
  folder: Folder,
  { nodes: count, host, port, origin, watch, wechat, settings, signal }: LocalOptions,
  say: Say,
): Promise<LocalCluster> => {
  const stopping = new AbortController()
  const logs: WriteStream[] = []
  const logTo = (name: string) => {
    const file = folder.log(name)
    logs.push(file)
    return (line: Line) => void file.write(`${line.text}\n`)
  }
  /**
   * With --watch, shows the output of our programs, because the developer wants to see errors. JSON log lines
   * go to the file only.
   */
  const showAndLogTo = (name: string) => {
    const log = logTo(name)
    return (line: Line) => {
      log(line)
      if (watch && !line.json) say(`${name}: ${line.text}`)
    }
  }
  const kept: Promise<void>[] = []
  const over = AbortSignal.any([stopping.signal, signal])
  const keepRunning = (name: string, running: Restartable) => kept.push(supervise(name, running, over, say))

  const redis: RedisServer = await startRedis({
    dir: folder.redis,
    appendonly: true,
    args: ['--appendfsync', 'everysec'],
    onLine: logTo('redis'),
  })
  keepRunning('redis', redis)
  const simulator: Simulator = await startSimulator({ watch, onLine: showAndLogTo('wechat-simulator') })
  keepRunning('the WeChat simulator', simulator)

  // The nodes call the shop's hook, and the shop publishes through nginx. So its port must be known
  // beforehand.
  const shopPort = await freePort()
  const { apiKey, hookSecret } = folder
  const shopAs = shopSettings(shopPort, { apiKey, hookSecret })
  const shop: Shop = await startShop({
    origin,
    port: shopPort,
    apiKey,
    hookSecret,
    database: join(folder.shop, 'shop.db'),
    // The real address of nginx, whatever address phones use.
    env: { SAOMA_URL: `http://127.0.0.1:${port}` },
    watch,
    onLine: showAndLogTo('shop'),
  })
  keepRunning('the shop', shop)
  await keepKeyFile(folder.apiKeys, shopAs.env.SAOMA_API_KEYS ?? '')
  const live = await joinLiveSettings(settings, shopAs.env, folder.apiKeys)
  const common = {
    // Ctrl-C stops all nodes at once, so browsers have no other node to move to.
    SAOMA_DRAIN_WINDOW_MS: '0',
    ...settings,
    ...(wechat ? wechatSettings(settings, folder.codes) : { SAOMA_DEMO: 'true' }),
    SAOMA_ORIGIN: origin,
    SAOMA_SECRET: folder.secret,
    REDIS_URL: redis.url,
    ...simulator.env,
    ...live,
    SAOMA_ALLOWED_ORIGINS: [`http://127.0.0.1:${port}`, `http://localhost:${port}`, settings.SAOMA_ALLOWED_ORIGINS]
      .filter(Boolean)
      .join(','),
    SAOMA_WEB_ROOT: pageFolder,
  }

  const nodes = await Promise.all(
    nodeIds(count).map(async (id) => {
      const app = await startApp({
        app: 'gateway',
        name: `node ${id}`,
        watch,
        onLine: showAndLogTo(`node-${id}`),
        env: {
          ...common,
          HOST: '127.0.0.1',
          SAOMA_NODE_ID: id,
        },
      })
      keepRunning(`node ${id}`, app)
      return { id, app }
    }),
  )
  const nginx: Nginx = await startNginx({
    nodes: nodes.map(({ id, app }) => ({ id, port: app.port })),
    host,
    port,
    env: {
      ...shopAs.nginxEnv,
      SAOMA_LIMIT_MESSAGE_BYTES: settings.SAOMA_LIMIT_MESSAGE_BYTES ?? '',
      NGINX_TELL: nodes.map(({ app }) => `127.0.0.1:${app.internalPort}`).join(' '),
    },
    accessLog: join(folder.logs, 'access.log'),
    onLine: logTo('nginx'),
  })
  keepRunning('nginx', nginx)
  await writeEnvFile(folder.settings, common)

  return {
    nodes,
    shop,
    simulator,
    stop: async () => {
      stopping.abort()
      // From the outside in: first no client can connect, then the nodes send their browsers away, and Redis
      // runs until they have.
      await nginx.stop()
      await Promise.all(nodes.map(({ app }) => app.stop()))
      await Promise.all([shop.stop(), simulator.stop(), redis.stop()])
      await Promise.all(kept)
      // Stops processes whose restart was under way.
      await cleanUp()
      for (const file of logs) file.end()
    },
  }
}
