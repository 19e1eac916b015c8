/** How fast pushes start. */
export interface Pace {
  /** Maximum of starts per second. A busy machine reaches less. */
  perSecond: number
  /** Maximum of pushes that Redis has not accepted yet. */
  inFlight: number
}

/**
 * Pushes are spread over time. A flood would be batched into fewer reads and writes, unlike the normal load
 * of a cluster, and would make a push look half as expensive.
 */
export const PACE: Pace = { perSecond: 2_000, inFlight: 32 }

const TICK_MS = 1

/** Milliseconds that this many pushes take on an otherwise idle machine. */
export const paceMs = (count: number): number => (count / PACE.perSecond) * 1000

/**
 * Starts a few pushes at each tick, and resolves when Redis has accepted all. A late tick starts no more than
 * any other: catching up would batch pushes into fewer and cheaper reads and writes, above all on a busy
 * machine.
 */
export const pushAll = <T>(
  items: readonly T[],
  push: (item: T) => Promise<unknown>,
  { perSecond, inFlight }: Pace,
): Promise<void> =>
  new Promise((resolve, reject) => {
    const perTick = Math.ceil((perSecond * TICK_MS) / 1000)
    // A pace below one push a tick has longer ticks.
    const tickMs = (perTick * 1000) / perSecond
    let begun = 0
    let taken = 0
    const settle = (act: () => void) => {
      clearInterval(timer)
      act()
    }
    const onTaken = () => {
      taken++
      if (taken === items.length) settle(resolve)
    }
    const begin = () => {
      const room = Math.min(perTick, inFlight - (begun - taken))
      for (const item of items.slice(begun, begun + room))
        push(item).then(onTaken, (error: unknown) => settle(() => reject(error)))
      begun = Math.min(begun + room, items.length)
    }
    const timer = setInterval(begin, tickMs)
  })
