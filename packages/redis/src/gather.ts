import type { Redis } from 'ioredis'
import { wrapSend } from './send.ts'

type Stream = Redis['stream']

/**
 * Bytes that may wait for the end of a turn. More are written at once, so that a long turn holds back no
 * flood.
 */
const MOST_WAITING = 65_536

/**
 * Lets the commands of one turn of the event loop leave in one write, and so reach Redis in one read. ioredis
 * writes each command by itself, which costs as much as the rest of the command. Its own automatic pipelines
 * also gather a turn, but each command of a batch waits for the last reply.
 */
export const gatherWrites = (server: Redis): void => {
  let gathering: Stream | undefined
  const release = (stream: Stream): void => {
    if (gathering === stream) gathering = undefined
    stream.uncork()
  }
  wrapSend(server, (send) => (command, ...others) => {
    const { stream } = server
    if (stream && stream !== gathering) {
      gathering = stream
      stream.cork()
      setImmediate(release, stream)
    }
    const answer = send(command, ...others)
    if (stream && stream === gathering && stream.writableLength > MOST_WAITING) {
      stream.uncork()
      stream.cork()
    }
    return answer
  })
}
