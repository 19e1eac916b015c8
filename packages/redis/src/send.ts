import type { Cluster, Command, Redis } from 'ioredis'

/** The way of a command: `others` are for ioredis. */
export type Send = (command: Command, ...others: unknown[]) => unknown

/**
 * Puts something in front of the one method through which every command of a connection goes. ioredis has no
 * place for it.
 */
export const wrapSend = (connection: Redis | Cluster, wrap: (send: Send) => Send): void => {
  Object.assign(connection, { sendCommand: wrap(connection.sendCommand.bind(connection) as Send) })
}
