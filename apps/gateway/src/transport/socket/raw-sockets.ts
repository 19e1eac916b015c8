import { STATUS_CODES } from 'node:http'
import type { Duplex } from 'node:stream'

/** How long a client that was refused may take to read why and to close its side. */
const LAST_WORD_MS = 2_000

/** An answer in plain HTTP, written by hand. */
export interface RawAnswer {
  status: number
  headers: Readonly<Record<string, string>>
  body: string
}

// One function for all, because a closure for each of ten thousand waiting browsers is memory.
function destroy(this: Duplex): void {
  this.destroy()
}

/**
 * Takes a socket from Node's HTTP server, which hands it out with `upgrade` and `connect` and takes its own
 * listeners off it first. A reset that nobody listens for is an uncaught exception, so this comes before
 * anything else.
 */
export const own = (tcp: Duplex): void => {
  tcp.on('error', destroy)
}

/** The next owner listens for errors itself. */
export const handOver = (tcp: Duplex): void => {
  tcp.off('error', destroy)
}

/**
 * Says why not, and ends the connection: a client that does not close its side is cut off after
 * `LAST_WORD_MS`.
 */
export const answerAndEnd = (tcp: Duplex, { status, headers, body }: RawAnswer): void => {
  const timer = setTimeout(() => tcp.destroy(), LAST_WORD_MS).unref()
  tcp.once('close', () => clearTimeout(timer))
  const lines = Object.entries({ ...headers, Connection: 'close' }).map(([name, value]) => `${name}: ${value}\r\n`)
  tcp.end(`HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n${lines.join('')}\r\n${body}`)
  // Nobody reads it any more. Unread, the client's end would not be seen; and closed with bytes unread, a
  // socket is reset instead, with which the client may lose the answer.
  tcp.resume()
}
