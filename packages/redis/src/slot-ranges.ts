/** Slots of a Redis Cluster. */
export const SLOTS = 16_384

/** Ranges of one text: about 1,500 characters. Few clusters have as many. */
const MOST_RANGES = 128

/**
 * Whether a text is one of `textOf`: ranges such as `0-5460,10923-16383`, ascending and disjoint. So it names
 * no slot twice, and reading it costs no more than all slots do.
 */
export const areSlots = (text: string): boolean => {
  const ranges = text === '' ? [] : text.split(',')
  let next = 0
  return (
    ranges.length <= MOST_RANGES &&
    ranges.every((range) => {
      const [, from = '', to = ''] = /^(\d{1,5})-(\d{1,5})$/.exec(range) ?? []
      const [first, last] = [Number(from), Number(to)]
      const fits = from !== '' && first >= next && first <= last && last < SLOTS
      next = last + 1
      return fits
    })
  )
}

/** The slots of a text that `areSlots`. */
export const slotsOf = (text: string): Set<number> => {
  const slots = new Set<number>()
  for (const range of text === '' ? [] : text.split(',')) {
    const [first = 0, last = 0] = range.split('-').map(Number)
    for (let slot = first; slot <= last; slot++) slots.add(slot)
  }
  return slots
}

/** The lowest slot of such a text, without reading the rest. */
export const firstSlot = (text: string): number | undefined => (text === '' ? undefined : Number.parseInt(text, 10))

/**
 * Slots as ranges, ascending. If there are too many ranges, only the lowest are named. A walk always goes on
 * with the lowest slot that is left, so it comes to its end even so: what was not named is walked again.
 */
export const textOf = (slots: ReadonlySet<number>): string => {
  const ranges: string[] = []
  for (let slot = 0; slot < SLOTS && ranges.length < MOST_RANGES; slot++) {
    if (!slots.has(slot)) continue
    const first = slot
    while (slots.has(slot + 1)) slot++
    ranges.push(`${first}-${slot}`)
  }
  return ranges.join(',')
}
