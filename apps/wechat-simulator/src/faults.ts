import { setTimeout as delay } from 'node:timers/promises'
import type { Middleware } from 'koa'
import type { Clock } from './clock.ts'
import { errorBody, JSON_TYPE } from './errors.ts'

/** An order to behave badly. */
export interface Fault {
  /** Only on this path. @default every path of WeChat's */
  path?: string
  /**
   * `slow` answers late, `down` cuts the connection without an answer, `cut` does the work first and then
   * cuts, `errcode` refuses, `garbage` answers with a page of HTML.
   */
  kind: 'slow' | 'down' | 'cut' | 'errcode' | 'garbage'
  /** Milliseconds of `slow`. */
  ms?: number
  /** Of `errcode`. */
  errcode?: number
  /** HTTP status of `garbage`. @default 200 */
  status?: number
  /** How many calls it spoils. @default all, until it is taken back */
  times?: number
}

export const createFaults = (clock: Clock) => {
  const closing = new AbortController()
  let orders: { fault: Fault; left: number }[] = []

  const take = (path: string): Fault | undefined => {
    const order = orders.find(({ fault }) => fault.path === undefined || fault.path === path)
    if (order && --order.left <= 0) orders = orders.filter((other) => other !== order)
    return order?.fault
  }

  const middleware: Middleware = async (ctx, next) => {
    const fault = take(ctx.path)
    if (fault?.kind === 'slow') await delay(fault.ms, undefined, { signal: closing.signal }).catch(() => {})
    if (fault?.kind === 'cut') await next()
    if (fault?.kind === 'down' || fault?.kind === 'cut') {
      ctx.respond = false
      ctx.req.socket.destroy()
    } else if (fault?.kind === 'errcode') {
      ctx.set('Content-Type', JSON_TYPE)
      ctx.body = JSON.stringify(errorBody(fault.errcode ?? -1, clock.now()))
    } else if (fault?.kind === 'garbage') {
      ctx.status = fault.status ?? 200
      ctx.type = 'html'
      ctx.body = '<html><body>Sorry</body></html>'
    } else {
      await next()
    }
  }

  return {
    middleware,
    /** Orders apply in the order they came, one to a call. */
    order: (fault: Fault): void => {
      orders.push({ fault, left: fault.times ?? Number.POSITIVE_INFINITY })
    },
    clear: (): void => {
      orders = []
    },
    close: (): void => closing.abort(),
  }
}

export type Faults = ReturnType<typeof createFaults>
