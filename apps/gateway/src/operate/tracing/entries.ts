import {
  context,
  propagation,
  ROOT_CONTEXT,
  type Span,
  SpanKind,
  SpanStatusCode,
  type Tracer,
  trace,
} from '@opentelemetry/api'
import { parseTicket } from '@saoma/protocol'
import type { Trace } from './trace.ts'

/*
 * A span may contain the pattern of a route, never the address, because that has a query. It contains no
 * header and no body. Of a login it contains the ticket, which is public. The id of the request is also in
 * the log.
 */

/** Records only the name of an error: its message may contain data of a client. */
const fail = (span: Span, error: unknown): void => {
  span.setStatus({ code: SpanStatusCode.ERROR })
  span.setAttribute('error.type', error instanceof Error ? error.name : typeof error)
}

/** Makes spans that begin a trace in this node, or continue one from outside. */
export const createEntries = (tracer: Tracer): Pick<Trace, 'request' | 'event'> => ({
  request: async (ctx, next) => {
    const parent = propagation.extract(ROOT_CONTEXT, ctx.headers)
    const span = tracer.startSpan(
      ctx.method,
      { kind: SpanKind.SERVER, attributes: { 'http.request.method': ctx.method } },
      parent,
    )
    if (span.isRecording()) ctx.state.trace = span.spanContext().traceId
    try {
      await context.with(trace.setSpan(parent, span), next)
    } catch (error) {
      fail(span, error)
      throw error
    } finally {
      const { status, state } = ctx
      const route: string = state.route ?? 'page'
      const ticket = parseTicket(ctx.params?.ticket ?? state.login?.ticket)
      span.updateName(`${ctx.method} ${route}`)
      span.setAttributes({
        'http.route': route,
        'http.response.status_code': status,
        'saoma.request': state.requestId,
        ...(ticket.ok ? { 'saoma.ticket': ticket.value } : {}),
        ...(state.code ? { 'saoma.code': state.code } : {}),
        ...(state.held ? { 'saoma.held': true } : {}),
      })
      if (status >= 500) span.setStatus({ code: SpanStatusCode.ERROR })
      span.end()
    }
  },

  event: async (name, work) => {
    const span = tracer.startSpan(`socket ${name}`, { kind: SpanKind.SERVER }, ROOT_CONTEXT)
    try {
      const result = await context.with(trace.setSpan(ROOT_CONTEXT, span), work)
      if (!result.ok) span.setAttribute('saoma.code', result.code)
      return result
    } catch (error) {
      fail(span, error)
      throw error
    } finally {
      span.end()
    }
  },
})
