import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'

/**
 * Backlog of connections. Node's default of 511 is less than the number
 * of one node's browsers that reconnect at once.
 */
const BACKLOG = 4_096

export interface Place {
  /** Name of the setting with the port. */
  name: string
  port: number
  host: string
}

const sentenceOf = ({ code, message }: NodeJS.ErrnoException, { name, port, host }: Place): string => {
  if (code === 'EADDRINUSE') return `${name} ${port} is taken on ${host}: another program listens there. Choose another`
  if (code === 'EACCES') return `${name} ${port} needs special rights: choose a port above 1023`
  if (code === 'EADDRNOTAVAIL') return `HOST ${host} is no address of this machine`
  return `${name} ${port} cannot be opened: ${message}`
}

/** Resolves with the port. Rejects with an error message for the operator, and the system's error code. */
export const listen = (server: Server, place: Place): Promise<number> =>
  new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) =>
      reject(Object.assign(new Error(sentenceOf(error, place)), { code: error.code })),
    )
    server.listen({ port: place.port, host: place.host, backlog: BACKLOG }, () =>
      resolve((server.address() as AddressInfo).port),
    )
  })
