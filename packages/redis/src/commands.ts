import { tracingChannel } from 'node:diagnostics_channel'
import type { Connection } from './connection.ts'
import { type Send, wrapSend } from './send.ts'

/**
 * What the diagnostics channel `saoma:redis` reports of each command, for traces. It costs nothing without a
 * subscriber.
 */
export interface RedisCommand {
  /** The command's name, such as `evalsha`, without keys and arguments. */
  command: string
}

const commands = tracingChannel<RedisCommand>('saoma:redis')
const ignore = () => {}

/**
 * Reports how long each command waited for its reply, and whether it got one, including commands of scripts
 * and subscriptions. ioredis has its own diagnostics channel, but that one converts every argument to text.
 */
export const watchCommands = (connection: Connection, tell: (seconds: number, replied: boolean) => void): void => {
  const watch =
    (send: Send): Send =>
    (command, ...others) => {
      const begunAt = performance.now()
      let answer: unknown
      if (commands.hasSubscribers) {
        const sent = () => {
          answer = send(command, ...others)
          return command.promise
        }
        // The caller gets the error from the command's own promise.
        commands.tracePromise(sent, { command: command.name }).catch(ignore)
      } else {
        answer = send(command, ...others)
      }
      command.promise.then(
        () => tell((performance.now() - begunAt) / 1_000, true),
        // An error reply is a reply, too.
        (error: unknown) =>
          tell((performance.now() - begunAt) / 1_000, error instanceof Error && error.name === 'ReplyError'),
      )
      return answer
    }
  wrapSend(connection, watch)
}
