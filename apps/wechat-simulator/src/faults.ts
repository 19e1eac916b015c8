import { setTimeout as delay } from 'node:timers/promises'
import type { Middleware } from 'koa'
import type { Clock } from './clock.ts'
import { errorBody, JSON_TYPE } from './errors.ts'

/** A fault to simulate. */
export interface Fault {
  /** Only on this path. @default every path of WeChat */
  path?: string
  /**
   * `slow` delays the answer. `down` closes the connection without an answer. `cut` processes the call first,
   * and closes the connection then. `errcode` refuses. `garbage` answers with an HTML page.
   */
  kind: 'slow' | 'down' | 'cut' | 'errcode' | 'garbage'
  /** Delay of `slow`, in milliseconds. */
  ms?: number
  /** The errcode of `errcode`. */
  errcode?: number
  /** HTTP status of `garbage`. @default 200 */
  status?: number
  /** Number of calls that it affects. @default all, until it is removed */
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
    /** Faults apply in the order of their arrival, one per call. */
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
