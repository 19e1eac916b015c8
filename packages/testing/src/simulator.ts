import { startApp } from './app.ts'
import type { Line } from './lines.ts'
import type { Process } from './process.ts'

export interface SimulatorOptions {
  appid?: string
  secret?: string
  env?: Record<string, string>
  watch?: boolean
  onLine?: (line: Line) => void
}

/** A WeChat server on the loopback interface, as a process of its own. */
export interface Simulator extends Process {
  readonly origin: string
  readonly port: number
  /** Settings that let a gateway use it. */
  readonly env: { WECHAT_API: string; WECHAT_APPID: string; WECHAT_SECRET: string }
}

export const startSimulator = async (options: SimulatorOptions = {}): Promise<Simulator> => {
  const { appid = 'wx0000000000000001', secret = '0123456789abcdef0123456789abcdef', env = {}, watch, onLine } = options
  const credentials = { WECHAT_APPID: appid, WECHAT_SECRET: secret }
  const app = await startApp({
    app: 'wechat-simulator',
    name: 'wechat simulator',
    env: { HOST: '127.0.0.1', PORT: '0', ...credentials, ...env },
    ...(watch ? { watch } : {}),
    ...(onLine ? { onLine } : {}),
  })
  const origin = `http://127.0.0.1:${app.port}`
  return { ...app.process, origin, port: app.port, env: { WECHAT_API: origin, ...credentials } }
}
