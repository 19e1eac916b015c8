/** A source of random numbers. The same seed repeats them. */
export interface Chance {
  /** At least 0 and less than 1. */
  next(): number
  /** A whole number from `least` to `most`, both included. */
  between(least: number, most: number): number
  /** One element of the list; throws if the list is empty. */
  pick<T>(list: readonly T[]): T
  /** All elements in a random order. */
  shuffled<T>(list: readonly T[]): T[]
  /** An independent source. Draws from it do not change later draws from this one. */
  fork(): Chance
}

/** The number of seeds: the largest seed plus one. */
export const SEEDS = 2 ** 32

/** mulberry32: the same seed gives the same draws. */
export const createChance = (seed: number): Chance => {
  let state = seed | 0
  const next = (): number => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / SEEDS
  }
  const between = (least: number, most: number) => least + Math.floor(next() * (most - least + 1))
  return {
    next,
    between,
    pick: (list) => {
      if (list.length === 0) throw new RangeError('there is nothing to draw from')
      return list[between(0, list.length - 1)] as (typeof list)[number]
    },
    shuffled: (list) => {
      const drawn = [...list]
      for (let i = drawn.length - 1; i > 0; i--) {
        const j = between(0, i)
        const [a, b] = [drawn[i], drawn[j]] as [(typeof drawn)[number], (typeof drawn)[number]]
        drawn[i] = b
        drawn[j] = a
      }
      return drawn
    },
    fork: () => createChance(between(0, SEEDS - 1)),
  }
}
