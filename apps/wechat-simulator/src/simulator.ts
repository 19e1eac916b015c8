import type { RequestListener } from 'node:http'
import Koa from 'koa'
import { controlRoutes } from './control-routes.ts'
import { createState, type SimulatorOptions, type State } from './state.ts'
import { wechatRoutes } from './wechat-routes.ts'

/**
 * A server that imitates api.weixin.qq.com: rules, limits, error bodies and oddities. Unknown behaviour is
 * not invented: the order of checks follows public reports.
 */
export interface Simulator {
  /** For `createServer`. */
  handler: RequestListener
  /** That of the first app, for tests in the same process. Other programs use `/simulator/…`. */
  state: State
  /** Answers calls that a fault is delaying. */
  close(): void
}

export const createSimulator = (options: SimulatorOptions): Simulator => {
  const state = createState(options)
  const states = [state, ...(options.others ?? []).map((app) => createState({ ...options, ...app }))] as const
  const app = new Koa()

  app.use(controlRoutes(states).routes())
  app.use((ctx, next) => {
    state.calls.set(ctx.path, (state.calls.get(ctx.path) ?? 0) + 1)
    return next()
  })
  app.use(state.faults.middleware)
  app.use(wechatRoutes(states).routes())

  return { handler: app.callback(), state, close: state.faults.close }
}
