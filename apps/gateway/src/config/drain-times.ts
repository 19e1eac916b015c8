/**
 * nginx gives up a connection that it has not used for five seconds (`keepalive_timeout` of its upstreams).
 */
export const PROXY_IDLE_MS = 6_000
/** How long requests that are being answered may hold up the end. */
export const LAST_ANSWERS_MS = 2_000
/** What comes after the window, at most, with what is said to Redis in the end. */
export const AFTER_WINDOW_MS = PROXY_IDLE_MS + LAST_ANSWERS_MS + 1_000
