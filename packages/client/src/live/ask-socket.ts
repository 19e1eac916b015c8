import type { LiveClientEvents, LiveServerEvents, Refusal, Result } from '@saoma/protocol'
import type { Socket } from 'socket.io-client'
import { type Answer, type Failure, malformed, unanswered } from '../core/request.ts'

export type LiveSocket = Socket<LiveServerEvents, LiveClientEvents>

/**
 * Sends an event and waits for its ack. Resolves with the result of `parse`, which runs inside the ack's
 * callback.
 */
export const askSocket = <T>(
  socket: LiveSocket,
  event: string,
  request: object,
  parse: (answer: unknown) => Result<T>,
  timeoutMs: number,
): Promise<Answer<T>> =>
  new Promise((resolve) => {
    // In generic code, Socket.IO's types lose the relation between an event and its ack.
    const untyped: Socket = socket
    untyped.timeout(timeoutMs).emit(event, request, (error: Error | null, answer: unknown) => {
      if (error) return resolve(unanswered(error))
      if (isRefusal(answer)) return resolve(failureOf(answer))
      const parsed = parse(answer)
      resolve(parsed.ok ? parsed : malformed())
    })
  })

export const failureOf = ({ code, react, message, retryAfter }: Refusal): Failure => ({
  ok: false,
  code,
  react,
  message,
  ...(typeof retryAfter === 'number' ? { retryAfterMs: retryAfter * 1_000 } : {}),
})

export const isRefusal = (value: unknown): value is Refusal =>
  typeof value === 'object' && value !== null && 'react' in value && 'code' in value
