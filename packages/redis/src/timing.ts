import type { Command } from 'ioredis'
import type { Connection } from './connection.ts'

type Send = (command: Command, ...others: unknown[]) => unknown

/**
 * Tells how long each command waited for its reply, and whether it got one. In `sendCommand`, through which every command goes, those
 * of scripts and subscriptions included: ioredis's own tracing makes a text of every argument for it.
 */
export const timeCommands = (connection: Connection, tell: (seconds: number, replied: boolean) => void): void => {
  const send = connection.sendCommand.bind(connection) as Send
  const timed: Send = (command, ...others) => {
    const begunAt = performance.now()
    const answer = send(command, ...others)
    command.promise.then(
      () => tell((performance.now() - begunAt) / 1_000, true),
      // An error that Redis replied with is a reply. The caller gets it from the promise as well.
      (error: unknown) =>
        tell((performance.now() - begunAt) / 1_000, error instanceof Error && error.name === 'ReplyError'),
    )
    return answer
  }
  Object.assign(connection, { sendCommand: timed })
}
