import { type Failed, fail, type Result } from '@saoma/protocol'
import { RedisUnavailable } from '@saoma/redis'
import type { Principal } from '../../access/principal.ts'
import type { Logger } from '../../operate/log.ts'
import type { Trace } from '../../operate/tracing/trace.ts'
import { refusal } from '../refusal.ts'
import { Flawed } from './parser.ts'

interface Asker {
  readonly id: string
  /** A socket's, with who it is if that is known. */
  readonly data?: object
}

/** Who was refused, and where: what an operator looks for. Neither tokens nor messages. */
const whoAndWhere = ({ id, data }: Asker, request: unknown) => {
  const who = data && 'who' in data ? (data.who as Principal) : undefined
  const channel = Object(request).channel
  return {
    socket: id,
    ...(who?.kind === 'person' ? { user: who.user } : {}),
    ...(who?.kind === 'backend' ? { key: who.name } : {}),
    ...(typeof channel === 'string' ? { channel: channel.slice(0, 140) } : {}),
  }
}

const flawed = ({ why }: Flawed): Failed => ({ ...fail('INVALID'), detail: why })

/**
 * Does what an event asks for. What `later` is given happens when the answer is on its way, and not at all
 * when there is none because the work failed.
 */
export type AckHandler<S extends Asker> = (
  socket: S,
  request: unknown,
  later: (work: () => void) => void,
) => Promise<Result<object>>

export interface ListenDeps {
  log: Logger
  trace?: Trace
}

/**
 * Makes a Socket.IO listener of an act, with `this` being the socket: a function shared by all sockets,
 * because a closure for each of ten thousand is memory. The one place where outcomes become acks.
 */
export const handleEvents = <S extends Asker>(name: string, { log, trace }: ListenDeps, act: AckHandler<S>) =>
  async function onEvent(this: S, ...args: unknown[]): Promise<void> {
    // The ack comes last, also behind a request that was left out or had company.
    const ack = args.at(-1)
    const answer: (value: object) => void = typeof ack === 'function' ? (value) => ack(value) : () => {}
    const request = typeof args[0] === 'function' ? undefined : args[0]
    let after = () => {}
    try {
      const work = () =>
        act(this, request, (later) => {
          after = later
        })
      const result = request instanceof Flawed ? flawed(request) : await (trace ? trace.event(name, work) : work())
      if (!result.ok) log.info({ event: 'refused', on: name, code: result.code, ...whoAndWhere(this, request) })
      answer(result.ok ? { ok: true, ...result.value } : refusal(result))
      after()
    } catch (error) {
      const code = error instanceof RedisUnavailable ? 'REDIS_UNAVAILABLE' : 'INTERNAL'
      log.error({ err: error, event: 'refused', on: name, code, ...whoAndWhere(this, request) })
      answer(refusal({ code }))
    }
  }
