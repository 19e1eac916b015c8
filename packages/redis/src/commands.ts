import { tracingChannel } from 'node:diagnostics_channel'
import type { Connection } from './connection.ts'
import { type Send, wrapSend } from './send.ts'

/**
 * What is told of each command on the diagnostics channel `saoma:redis`: for traces, and nothing at all while
 * nobody listens.
 */
export interface RedisCommand {
  /** Its name, as `evalsha`; no keys and no arguments. */
  command: string
}

const commands = tracingChannel<RedisCommand>('saoma:redis')
const ignore = () => {}

/**
 * Tells how long each command waited for its reply, and whether it got one, those of scripts and
 * subscriptions included. ioredis has a channel of its own, but makes a text of every argument for it.
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
        // Its caller hears of an error by the command's own promise.
        commands.tracePromise(sent, { command: command.name }).catch(ignore)
      } else {
        answer = send(command, ...others)
      }
      command.promise.then(
        () => tell((performance.now() - begunAt) / 1_000, true),
        // An error that Redis replied with is a reply.
        (error: unknown) =>
          tell((performance.now() - begunAt) / 1_000, error instanceof Error && error.name === 'ReplyError'),
      )
      return answer
    }
  wrapSend(connection, watch)
}
