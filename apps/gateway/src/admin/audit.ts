import { hash } from 'node:crypto'
import { Readable } from 'node:stream'
import Router from '@koa/router'
import { type Audit, type AuditQuery, MOST_ENTRIES } from '@saoma/audit'
import type { Authenticate } from '../access/principal.ts'
import type { RequestState } from '../transport/http/context.ts'
import { scoped } from '../transport/http/credentials.ts'
import { answer, problem } from '../transport/http/problem.ts'
import { readAuditQuery } from './audit-query.ts'

/** One entry in each line: https://github.com/ndjson/ndjson-spec. */
const LINES = 'application/x-ndjson'

/** Reads with one key within this time are one act. */
const ONE_ACT_MS = 600_000

/** All entries of a query as lines of JSON, page by page, until the signal is aborted. `limit` is ignored. */
export async function* linesOf(
  audit: Pick<Audit, 'read'>,
  query: AuditQuery,
  signal: AbortSignal,
): AsyncGenerator<string> {
  let cursor = query.cursor
  // Of many pages without an entry nobody would notice that the reader has left.
  while (!signal.aborted) {
    const page = await audit.read({ ...query, limit: MOST_ENTRIES, ...(cursor === undefined ? {} : { cursor }) })
    if (!page.ok) return
    const { entries, more } = page.value
    if (entries.length > 0) yield `${entries.map((entry) => JSON.stringify(entry)).join('\n')}\n`
    if (!more) return
    cursor = page.value.cursor
  }
}

async function* following(first: string, rest: AsyncGenerator<string>): AsyncGenerator<string> {
  yield first
  yield* rest
}

export interface AuditRoutesDeps {
  audit: Pick<Audit, 'read' | 'note'>
  authenticate: Authenticate
}

/** The route with which an administrator reads what happened. */
export const auditRoutes = ({ audit, authenticate }: AuditRoutesDeps): Router<RequestState> => {
  const router = new Router<RequestState>({ prefix: '/v1/admin', sensitive: true })

  router.get(
    '/audit',
    scoped(authenticate, 'audit:read', async (ctx, { name: key }) => {
      const read = readAuditQuery(ctx.query)
      if (!read.ok) return problem(ctx, 'INVALID', read.why)
      const { value: query } = read
      const asLines = ctx.accepts('json', LINES) === LINES
      // Also with a cursor: anybody can write one that begins at the beginning.
      const reason = asLines ? 'audit.export' : 'audit.read'
      const once = { name: `${reason}.${hash('sha256', key, 'base64url')}`, ms: ONE_ACT_MS }
      audit.note({ kind: 'admin.acted', by: 'backend', key, reason, ip: ctx.ip }, { once })
      if (!asLines) return answer(ctx, await audit.read(query))
      const leaving = new AbortController()
      ctx.res.once('close', () => leaving.abort())
      const lines = linesOf(audit, query, leaving.signal)
      // Before the answer begins: if Redis is away, the answer says so.
      const first = await lines.next()
      ctx.type = LINES
      ctx.set('Cache-Control', 'no-store')
      ctx.body = Readable.from(first.done ? [] : following(first.value, lines), { objectMode: false })
    }),
  )

  return router
}
