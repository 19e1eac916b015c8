/**
 * nginx closes upstream connections that were idle for five seconds
 * (`keepalive_timeout`). This is one second more.
 */
export const PROXY_IDLE_MS = 6_000
/** How long requests in progress may delay the end. */
export const LAST_ANSWERS_MS = 2_000
/** Most time after the window, including the last commands to Redis. */
export const AFTER_WINDOW_MS = PROXY_IDLE_MS + LAST_ANSWERS_MS + 1_000
