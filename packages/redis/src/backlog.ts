import { type Connection, RedisUnavailable } from './connection.ts'
import { type Send, wrapSend } from './send.ts'

/**
 * Bounds how many commands wait for their replies. When Redis is slower than we ask, what is above fails at
 * once instead of filling the memory of the node with requests whose callers will have given up. The parts of
 * a transaction pass: half of one would never be sent.
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
