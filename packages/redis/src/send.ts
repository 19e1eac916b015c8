import type { Cluster, Command, Redis } from 'ioredis'

/** Sends a command. `others` are for ioredis. */
export type Send = (command: Command, ...others: unknown[]) => unknown

/**
 * Wraps the one method that sends every command of a connection. ioredis has no hook for this.
 */
export const wrapSend = (connection: Redis | Cluster, wrap: (send: Send) => Send): void => {
  Object.assign(connection, { sendCommand: wrap(connection.sendCommand.bind(connection) as Send) })
}
