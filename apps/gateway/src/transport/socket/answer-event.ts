import type { Audit } from '@saoma/audit'
import { codes, type Failed, fail, type Result } from '@saoma/protocol'
import { RedisUnavailable } from '@saoma/redis'
import type { Principal } from '../../access/principal.ts'
import type { Logger } from '../../operate/log.ts'
import type { Trace } from '../../operate/tracing/trace.ts'
import { refusal } from '../refusal.ts'
import { Flawed } from './parser.ts'

/** The sender of a request over a connection. */
export interface Asker {
  /** Its name in the log. */
  readonly id: string
  /** Its principal, if it is authenticated. */
  readonly who?: Principal
}

/**
 * Handles an event. It may pass work to `later`, which runs after the answer was sent. If the handler throws,
 * that work does not run.
 */
export type Act<A extends Asker> = (
  asker: A,
  request: unknown,
  later: (work: () => void) => void,
) => Promise<Result<object>>

export interface AnswerDeps {
  audit: { refusals: Pick<Audit['refusals'], 'count'> }
  log: Logger
  trace?: Trace
}

/** Who was refused, and where, for the log. It contains neither tokens nor messages. */
const whoAndWhere = ({ id, who }: Asker, request: unknown) => {
  const channel = Object(request).channel
  return {
    socket: id,
    ...(who?.kind === 'person' ? { user: who.user } : {}),
    ...(who?.kind === 'backend' ? { key: who.name } : {}),
    ...(typeof channel === 'string' ? { channel: channel.slice(0, 140) } : {}),
  }
}

const flawed = ({ why }: Flawed): Failed => ({ ...fail('INVALID'), detail: why })

/** Handles an event and answers it once. This is the only place that turns results into answers. */
export const answerEvent = async <A extends Asker>(
  name: string,
  { audit, log, trace }: AnswerDeps,
  act: Act<A>,
  asker: A,
  request: unknown,
  answer: (result: Result<object>) => void,
): Promise<void> => {
  let after = () => {}
  try {
    const work = () =>
      act(asker, request, (later) => {
        after = later
      })
    const result = request instanceof Flawed ? flawed(request) : await (trace ? trace.event(name, work) : work())
    if (!result.ok) {
      if (codes[result.code].status < 500) audit.refusals.count(result.code)
      log.info({ event: 'refused', on: name, code: result.code, ...whoAndWhere(asker, request) })
    }
    answer(result)
    after()
  } catch (error) {
    const code = error instanceof RedisUnavailable ? 'REDIS_UNAVAILABLE' : 'INTERNAL'
    log.error({ err: error, event: 'refused', on: name, code, ...whoAndWhere(asker, request) })
    answer(fail(code))
  }
}

/** The request of a Socket.IO client, and the function that answers it. */
export const askedBy = (args: readonly unknown[]): { request: unknown; answer: (result: Result<object>) => void } => {
  // The ack is the last argument, even if the request is missing or followed by others.
  const ack = args.at(-1)
  return {
    request: typeof args[0] === 'function' ? undefined : args[0],
    answer:
      typeof ack === 'function'
        ? (result) => ack(result.ok ? { ok: true, ...result.value } : refusal(result))
        : () => {},
  }
}
