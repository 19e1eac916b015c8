/** How fast pushes are begun. */
export interface Pace {
  /** Most begun in a second; a busy machine makes it fewer. */
  perSecond: number
  /** Most begun and not yet taken by Redis. */
  inFlight: number
}

/**
 * Pushes are spread over time. As many as possible at once would be bundled into fewer reads and writes,
 * which no cluster under its normal load sees: that would make them look half as expensive.
 */
export const PACE: Pace = { perSecond: 2_000, inFlight: 32 }

const TICK_MS = 1

/** How long so many pushes take on a machine that has nothing else to do. */
export const paceMs = (count: number): number => (count / PACE.perSecond) * 1000

/**
 * Begins a few pushes with every tick, and resolves when all have been taken. A tick that comes late begins
 * no more than the others: catching up would bundle pushes into fewer and cheaper reads and writes, most of
 * all on a busy machine.
 */
export const pushAll = (
  ids: readonly string[],
  push: (id: string) => Promise<unknown>,
  { perSecond, inFlight }: Pace,
): Promise<void> =>
  new Promise((resolve, reject) => {
    const perTick = Math.ceil((perSecond * TICK_MS) / 1000)
    let begun = 0
    let taken = 0
    const settle = (act: () => void) => {
      clearInterval(timer)
      act()
    }
    const onTaken = () => {
      taken++
      if (taken === ids.length) settle(resolve)
    }
    const begin = () => {
      const room = Math.min(perTick, inFlight - (begun - taken))
      for (const id of ids.slice(begun, begun + room))
        push(id).then(onTaken, (error: unknown) => settle(() => reject(error)))
      begun = Math.min(begun + room, ids.length)
    }
    const timer = setInterval(begin, TICK_MS)
  })
