/** Longest time that a request is held, in seconds: below the default timeout of every proxy. */
export const LONGEST_HOLD_SECONDS = 25
/** Most messages of one page. */
export const PAGE_MESSAGES = 300
/** Most bytes of messages in one page, with at least one message; shared by the channels of one answer. */
export const PAGE_BYTES: number = 256 * 1024
/** Most messages in a `history`, that is without a position. */
export const MOST_HISTORY = 100
/** Most channels in one HTTP request: their positions must fit into a header. */
export const MOST_CHANNELS = 32
/** Most characters of a token. */
export const LONGEST_TOKEN = 4096
