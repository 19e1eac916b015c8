import type { WebSocket } from 'ws'

/** WebSocket close code "try again later". */
const TRY_AGAIN_LATER = 1013
/** How long a reader that does not read has to receive the close frame. */
const LAST_FRAME_MS = 2_000

/** Closes the WebSocket of a slow reader. Cuts its connection if it does not read that, either. */
export const closeSlowReader = (webSocket: WebSocket): void => {
  webSocket.close(TRY_AGAIN_LATER, 'SLOW_READER')
  setTimeout(() => webSocket.terminate(), LAST_FRAME_MS).unref()
}
