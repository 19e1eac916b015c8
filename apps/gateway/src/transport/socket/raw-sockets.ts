import { STATUS_CODES } from 'node:http'
import type { Duplex } from 'node:stream'

/** How long a refused client has to read the reason and close its side. */
const LAST_WORD_MS = 2_000

/** A plain HTTP answer that is written directly to the socket. */
export interface RawAnswer {
  status: number
  headers: Readonly<Record<string, string>>
  body: string
}

// One shared function: a closure for each of ten thousand waiting browsers would cost memory.
function destroy(this: Duplex): void {
  this.destroy()
}

/**
 * Takes over a socket from Node's HTTP server. Node emits it with `upgrade` or `connect`, and removes its own
 * listeners first. A reset without a listener is an uncaught exception, so call this before anything else.
 */
export const own = (tcp: Duplex): void => {
  tcp.on('error', destroy)
}

/** Hands a socket over to an owner that listens for errors itself. */
export const handOver = (tcp: Duplex): void => {
  tcp.off('error', destroy)
}

/**
 * Sends a refusal and ends the connection. A client that does not
 * close its side is cut off after `LAST_WORD_MS`.
 */
export const answerAndEnd = (tcp: Duplex, { status, headers, body }: RawAnswer): void => {
  const timer = setTimeout(() => tcp.destroy(), LAST_WORD_MS).unref()
  tcp.once('close', () => clearTimeout(timer))
  const lines = Object.entries({ ...headers, Connection: 'close' }).map(([name, value]) => `${name}: ${value}\r\n`)
  tcp.end(`HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n${lines.join('')}\r\n${body}`)
  // Discard further input. Otherwise the client's FIN would not be noticed. And closing a socket with unread
  // bytes resets it, so the client may lose the answer.
  tcp.resume()
}
