import { type App, type AppOptions, startApp } from './app.ts'

export interface SimulatorOptions extends Partial<Pick<AppOptions, 'env' | 'watch' | 'onLine'>> {
  appid?: string
  secret?: string
}

/** A WeChat simulator on the loopback interface, as a process. */
export interface Simulator extends App {
  readonly origin: string
  /** Settings for a gateway that uses it. */
  readonly env: { WECHAT_API: string; WECHAT_APPID: string; WECHAT_SECRET: string }
}

export const startSimulator = async (options: SimulatorOptions = {}): Promise<Simulator> => {
  const { appid = 'wx0000000000000001', secret = '0123456789abcdef0123456789abcdef', env = {}, ...rest } = options
  const credentials = { WECHAT_APPID: appid, WECHAT_SECRET: secret }
  const app = await startApp({
    app: 'wechat-simulator',
    name: 'wechat simulator',
    env: { HOST: '127.0.0.1', ...credentials, ...env },
    ...rest,
  })
  const origin = `http://127.0.0.1:${app.port}`
  return Object.assign(app, { origin, env: { WECHAT_API: origin, ...credentials } })
}
