interface Queue {
  arrived: unknown[]
  waiting: ((payload: unknown) => void)[]
}

/**
 * Queues of values by name. Each value is returned by one `next`, whether it was called before or after the
 * value arrived.
 */
export interface Queues<Payloads> {
  push<E extends keyof Payloads>(name: E, payload: unknown): void
  /** The n-th call returns the n-th value of that name. Rejects after `timeoutMs` (20 s). */
  next<E extends keyof Payloads>(name: E, timeoutMs?: number): Promise<Payloads[E]>
  /** Values that `next` has not returned yet. */
  pending<E extends keyof Payloads>(name: E): readonly Payloads[E][]
}

export const EVENT_TIMEOUT_MS = 20_000

export const createQueues = <Payloads>(names: readonly (keyof Payloads)[]): Queues<Payloads> => {
  const queues = new Map<keyof Payloads, Queue>(names.map((name) => [name, { arrived: [], waiting: [] }]))
  const queue = (name: keyof Payloads): Queue => {
    const found = queues.get(name)
    if (!found) throw new TypeError(`nobody listens for ${String(name)}`)
    return found
  }

  return {
    push: (name, payload) => {
      const { arrived, waiting } = queue(name)
      const waiter = waiting.shift()
      if (waiter) waiter(payload)
      else arrived.push(payload)
    },
    next: <E extends keyof Payloads>(name: E, timeoutMs = EVENT_TIMEOUT_MS) => {
      const { arrived, waiting } = queue(name)
      if (arrived.length > 0) return Promise.resolve(arrived.shift() as Payloads[E])
      return new Promise<Payloads[E]>((resolve, reject) => {
        const waiter = (payload: unknown) => {
          clearTimeout(timer)
          resolve(payload as Payloads[E])
        }
        const timer = setTimeout(() => {
          waiting.splice(waiting.indexOf(waiter), 1)
          reject(new Error(`no ${String(name)} within ${timeoutMs} ms`))
        }, timeoutMs)
        waiting.push(waiter)
      })
    },
    pending: (name) => [...queue(name).arrived] as Payloads[typeof name][],
  }
}
