import type { WriteStream } from 'node:fs'
import { join } from 'node:path'
import {
  type App,
  cleanUp,
  type Line,
  type Nginx,
  nodeIds,
  pageFolder,
  type RedisServer,
  type Restartable,
  type Simulator,
  startApp,
  startNginx,
  startRedis,
  startSimulator,
} from '@saoma/testing'
import type { Folder } from './folder.ts'
import { keep } from './keep.ts'

export interface LocalOptions {
  nodes: number
  /** Address and port of nginx. */
  host: string
  port: number
  /** What browsers and phones see of it. */
  origin: string
  watch: boolean
  /** Settings of the nodes from the person's own environment. */
  settings: Record<string, string>
}

/** A running local cluster. */
export interface LocalCluster {
  nodes: readonly { id: string; app: App }[]
  /** Resolves when everything has ended, in the order that loses nothing. */
  stop(): Promise<void>
}

type Say = (sentence: string) => void

/** Starts all of it, Redis first, and restarts what ends by itself. */
export const startLocalCluster = async (
  folder: Folder,
  { nodes: count, host, port, origin, watch, settings }: LocalOptions,
  say: Say,
): Promise<LocalCluster> => {
  const stopping = new AbortController()
  const logs: WriteStream[] = []
  const logTo = (name: string) => {
    const file = folder.log(name)
    logs.push(file)
    return (line: Line) => void file.write(`${line.text}\n`)
  }
  /** Somebody who edits a program of ours wants to see what broke; the log's own lines are for the file. */
  const showAndLogTo = (name: string) => {
    const log = logTo(name)
    return (line: Line) => {
      log(line)
      if (watch && !line.json) say(`${name}: ${line.text}`)
    }
  }
  const kept: Promise<void>[] = []
  const keepRunning = (name: string, running: Restartable) => kept.push(keep(name, running, stopping.signal, say))

  const redis: RedisServer = await startRedis({ dir: folder.redis, appendonly: true, onLine: logTo('redis') })
  keepRunning('redis', redis)
  const simulator: Simulator = await startSimulator({ watch, onLine: showAndLogTo('wechat-simulator') })
  keepRunning('the WeChat simulator', simulator)

  const nodes = await Promise.all(
    nodeIds(count).map(async (id) => {
      const app = await startApp({
        app: 'gateway',
        name: `node ${id}`,
        watch,
        onLine: showAndLogTo(`node-${id}`),
        env: {
          ...settings,
          HOST: '127.0.0.1',
          SAOMA_NODE_ID: id,
          SAOMA_ORIGIN: origin,
          SAOMA_ALLOWED_ORIGINS: [
            `http://127.0.0.1:${port}`,
            `http://localhost:${port}`,
            settings.SAOMA_ALLOWED_ORIGINS,
          ]
            .filter(Boolean)
            .join(','),
          SAOMA_SECRET: folder.secret,
          SAOMA_DEMO: 'true',
          SAOMA_WEB_ROOT: pageFolder,
          REDIS_URL: redis.url,
          ...simulator.env,
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
    accessLog: join(folder.logs, 'access.log'),
    onLine: logTo('nginx'),
  })
  keepRunning('nginx', nginx)

  return {
    nodes,
    stop: async () => {
      stopping.abort()
      // From the outside in: nobody new comes, the nodes send their browsers away, and Redis is there until they have.
      await nginx.stop()
      await Promise.all(nodes.map(({ app }) => app.stop()))
      await Promise.all([simulator.stop(), redis.stop()])
      await Promise.all(kept)
      // What was being started again just now.
      await cleanUp()
      for (const file of logs) file.end()
    },
  }
}
