import type { Command } from 'ioredis'
import { type Connection, RedisUnavailable } from './connection.ts'

type Send = (command: Command, stream?: { isPipeline?: boolean }, ...others: unknown[]) => unknown

/**
 * Bounds how many commands wait for their replies. When Redis is slower than we ask, what is above fails at once instead of filling the
 * memory of the node with requests whose callers will have given up. The parts of a transaction pass: half of one would never be sent.
 */
export const boundBacklog = (connection: Connection, most: number): void => {
  const send = connection.sendCommand.bind(connection) as Send
  let waiting = 0
  const done = () => {
    waiting--
  }
  const bounded: Send = (command, stream, ...others) => {
    if (waiting >= most && !stream?.isPipeline) {
      command.reject(new RedisUnavailable(`${waiting} commands wait for Redis already`))
      return command.promise
    }
    waiting++
    command.promise.then(done, done)
    return send(command, stream, ...others)
  }
  Object.assign(connection, { sendCommand: bounded })
}
