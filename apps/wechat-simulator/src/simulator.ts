import type { RequestListener } from 'node:http'
import Koa from 'koa'
import { controlRoutes } from './control-routes.ts'
import { createState, type SimulatorOptions, type State } from './state.ts'
import { wechatRoutes } from './wechat-routes.ts'

/**
 * A server that behaves as api.weixin.qq.com does: rules, limits, error bodies and oddities. What it cannot
 * know it does not invent: the order of checks is the one that public reports suggest.
 */
export interface Simulator {
  /** For `createServer`. */
  handler: RequestListener
  /** For tests in the same process; others use `/simulator/…`. */
  state: State
  /** Answers those who wait because of a fault. */
  close(): void
}

export const createSimulator = (options: SimulatorOptions): Simulator => {
  const state = createState(options)
  const app = new Koa()

  app.use(controlRoutes(state).routes())
  app.use((ctx, next) => {
    state.calls.set(ctx.path, (state.calls.get(ctx.path) ?? 0) + 1)
    return next()
  })
  app.use(state.faults.middleware)
  app.use(wechatRoutes(state).routes())

  return { handler: app.callback(), state, close: state.faults.close }
}
