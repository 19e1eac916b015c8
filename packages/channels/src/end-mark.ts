/** The mark of an end: seconds since 1970 by the clock of Redis, and a unique id. `end.lua` writes it. */
const MARK = /^(\d+)\.\S+$/

/**
 * When the sessions of a person ended for the last time: seconds since 1970, from what `Channels.lastEnd`
 * resolved with. Infinity if a mark does not say it, as those of nodes of an earlier version.
 */
export const endOf = (lastEnd: string): number =>
  Math.max(...lastEnd.split(' ').map((mark) => Number(MARK.exec(mark)?.[1] ?? Number.POSITIVE_INFINITY)))
