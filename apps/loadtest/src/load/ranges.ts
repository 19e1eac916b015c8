/** Offsets from the first to the second, both included. Ranges in a list ascend and do not touch. */
export type Range = readonly [number, number]

export const rangesOf = (offsets: Iterable<number>): Range[] => {
  const ranges: [number, number][] = []
  for (const offset of [...offsets].sort((a, b) => a - b)) {
    const last = ranges.at(-1)
    if (last && offset <= last[1] + 1) last[1] = Math.max(last[1], offset)
    else ranges.push([offset, offset])
  }
  return ranges
}

/** `3-5, 9`. */
export const showRanges = (ranges: readonly Range[]): string =>
  ranges.map(([from, to]) => (from === to ? `${from}` : `${from}-${to}`)).join(', ')
