import { createSocket, type Socket } from 'node:dgram'
import { once } from 'node:events'
import type { Counter } from 'prom-client'

/** A line of the access log in the format `saoma_metrics` of nginx.conf.template, as syslog brings it. */
const LINE = /saoma: (\d{3}) (nginx|node)$/

/**
 * Counts what nginx answers, which it tells by a datagram for each. One that gets lost is not counted.
 * Rejects when the port is taken.
 *
 * @returns the socket, to be closed
 */
export const countAnswers = async (
  answers: Counter<'status' | 'by'>,
  { host, port }: { host: string; port: number },
): Promise<Socket> => {
  const socket = createSocket(host.includes(':') ? 'udp6' : 'udp4')
  socket.on('message', (message) => {
    const [, status, by] = LINE.exec(message.toString('latin1').trimEnd()) ?? []
    // Anybody in the network may send a datagram: no more series than there are codes.
    if (status !== undefined && by !== undefined && status >= '100' && status < '600') answers.inc({ status, by })
  })
  socket.bind(port, host)
  await once(socket, 'listening')
  // From now on an error is one of a datagram: the next may be better.
  socket.on('error', () => {})
  return socket
}
