import { tracingChannel } from 'node:diagnostics_channel'
import { type Attributes, type Span, SpanKind, SpanStatusCode, type Tracer, trace } from '@opentelemetry/api'
import type { RedisCommand, ScriptRun } from '@saoma/redis'
import type { WechatCall } from '@saoma/wechat'

/** The event of one call on a diagnostics channel, of ours or of a library. */
interface Told {
  error?: unknown
}

interface Begun {
  name: string
  attributes: Attributes
}

const nothing = () => {}

/**
 * Makes spans from the events of a diagnostics channel: one for each call on behalf of a traced request. Work
 * that continues after its request has ended, such as a feed that a subscriber started, belongs to no trace.
 */
const follow = <T extends object>(
  tracer: Tracer,
  channel: string,
  begin: (told: T) => Begun | undefined,
  end: (told: T) => Attributes = () => ({}),
): (() => void) => {
  const spans = new WeakMap<object, Span>()
  const source = tracingChannel<T & Told>(channel)
  const listener = {
    start: (told: T & Told) => {
      if (!trace.getActiveSpan()?.isRecording()) return
      const begun = begin(told)
      if (begun) spans.set(told, tracer.startSpan(begun.name, { kind: SpanKind.CLIENT, attributes: begun.attributes }))
    },
    end: nothing,
    asyncStart: nothing,
    asyncEnd: (told: T & Told) => {
      const span = spans.get(told)
      span?.setAttributes(end(told))
      span?.end()
    },
    error: (told: T & Told) => {
      const span = spans.get(told)
      span?.setStatus({ code: SpanStatusCode.ERROR })
      // Do not record its message: an error of Redis quotes the command.
      span?.setAttribute('error.type', told.error instanceof Error ? told.error.name : typeof told.error)
    },
  }
  source.subscribe(listener)
  return () => source.unsubscribe(listener)
}

const redis = (operation: string): Attributes => ({ 'db.system.name': 'redis', 'db.operation.name': operation })

/** Makes spans for the packages' calls to other processes. Returns the function that stops it. */
export const followCalls = (tracer: Tracer): (() => void) => {
  const stops = [
    follow<ScriptRun>(tracer, 'saoma:script', ({ script }) => ({
      name: script,
      attributes: { ...redis('EVALSHA'), 'db.stored_procedure.name': script },
    })),
    // Our scripts already have a named span.
    follow<RedisCommand>(tracer, 'saoma:redis', ({ command }) =>
      /^eval/i.test(command) ? undefined : { name: `redis ${command}`, attributes: redis(command.toUpperCase()) },
    ),
    follow<WechatCall>(
      tracer,
      'saoma:wechat',
      ({ api, host }) => ({ name: `wechat ${api}`, attributes: { 'server.address': host, 'saoma.wechat.api': api } }),
      ({ result }) => ({
        'saoma.wechat.outcome': result?.kind ?? 'none',
        ...(result?.kind === 'refused' ? { 'saoma.wechat.errcode': result.errcode } : {}),
        ...(result?.kind === 'status' ? { 'http.response.status_code': result.status } : {}),
      }),
    ),
  ]
  return () => {
    for (const stop of stops) stop()
  }
}
