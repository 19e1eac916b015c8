import { type Connection, RedisUnavailable } from './connection.ts'
import { type Send, wrapSend } from './send.ts'

/**
 * Back-pressure: bounds how many commands wait for their replies. When Redis is too slow, further commands
 * fail at once. Otherwise requests whose callers have given up would fill the node's memory. Commands inside
 * a transaction are exempt: a partial transaction must not be sent.
 */
export const boundBacklog = (connection: Connection, most: number): void => {
  let waiting = 0
  const done = () => {
    waiting--
  }
  const bound =
    (send: Send): Send =>
    (command, stream, ...others) => {
      if (waiting >= most && !(stream as { isPipeline?: boolean } | undefined)?.isPipeline) {
        command.reject(new RedisUnavailable(`${waiting} commands wait for Redis already`))
        return command.promise
      }
      waiting++
      command.promise.then(done, done)
      return send(command, stream, ...others)
    }
  wrapSend(connection, bound)
}
