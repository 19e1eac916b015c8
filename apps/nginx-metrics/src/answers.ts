import { createSocket, type Socket } from 'node:dgram'
import { once } from 'node:events'
import type { Counter } from 'prom-client'

/** A line of the access log as syslog delivers it, in the format `saoma_metrics` of nginx.conf.template. */
const LINE = /saoma: (\d{3}) (nginx|node)$/

/**
 * Counts nginx's answers. nginx sends a datagram for each; a lost datagram is not counted. Rejects if the
 * port is in use.
 *
 * @returns the socket, which the caller closes
 */
export const countAnswers = async (
  answers: Counter<'status' | 'by'>,
  { host, port }: { host: string; port: number },
): Promise<Socket> => {
  const socket = createSocket(host.includes(':') ? 'udp6' : 'udp4')
  socket.on('message', (message) => {
    const [, status, by] = LINE.exec(message.toString('latin1').trimEnd()) ?? []
    // Anybody in the network may send a datagram. The filter bounds the number of series to the status codes.
    if (status !== undefined && by !== undefined && status >= '100' && status < '600') answers.inc({ status, by })
  })
  socket.bind(port, host)
  await once(socket, 'listening')
  // From now on an error concerns a single datagram, and later ones may arrive.
  socket.on('error', () => {})
  return socket
}
