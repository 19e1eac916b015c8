import Router from '@koa/router'
import type { Audit } from '@saoma/audit'
import { type Member, memberOf, nodesAlive, type RedisClients, RedisUnavailable } from '@saoma/redis'
import * as v from 'valibot'
import type { Authenticate } from '../access/principal.ts'
import type { NodeCalls } from '../operate/node-calls.ts'
import type { NodeReport } from '../operate/node-report.ts'
import { readBody } from '../transport/http/body.ts'
import type { RequestState } from '../transport/http/context.ts'
import { scoped } from '../transport/http/credentials.ts'
import { problem } from '../transport/http/problem.ts'
import { noteAct } from './acted.ts'
import { Cursor, decodeCursor, encodeCursor, ListLimit, NO_CURSOR, readQuery } from './query.ts'

export const NodesParameters = v.strictObject({ limit: ListLimit, cursor: v.optional(Cursor) })
/** The body of a drain. */
export const DrainRequest = v.strictObject({ force: v.optional(v.boolean('is true or false')) })

/** As SAOMA_NODE_ID may be. */
export const NodeId = v.pipe(v.string(), v.regex(/^[a-z0-9]{1,16}$/))
const Place = v.strictObject({ after: NodeId })

const LAST = 'no other node is ready: nobody would be served. Say force: true if you want that'

/** A node that lives. */
export interface ListedNode extends Partial<NodeReport>, Partial<Pick<Member, 'host' | 'pid'>> {
  id: string
  /** Whether it has answered. If it has not, only what it wrote into Redis is known. */
  answers: boolean
}

export interface AdminNodesDeps {
  redis: Pick<RedisClients, 'data' | 'keys'>
  /** The Redis of the live channels, if they have one of their own. */
  channelsRedis?: Pick<RedisClients, 'data' | 'keys'>
  nodes: Pick<NodeCalls, 'reports' | 'drain'>
  audit: Pick<Audit, 'note'>
  authenticate: Authenticate
}

/** The routes with which an administrator sees the nodes, and takes one out. */
export const nodeRoutes = (deps: AdminNodesDeps): Router<RequestState> => {
  const { redis, channelsRedis = redis, nodes, audit, authenticate } = deps
  const router = new Router<RequestState>({ prefix: '/v1/admin', sensitive: true })

  /**
   * The ids of the nodes that live, sorted, and what they say. While the Redis of the channels is away nobody
   * knows the leases: then they are those that answer.
   */
  const everyone = async () => {
    const leased = await nodesAlive(channelsRedis).catch((error: unknown) => {
      if (error instanceof RedisUnavailable) return undefined
      throw error
    })
    const reports = await nodes.reports(leased)
    return { ids: leased ?? [...reports.keys()].sort(), reports }
  }

  const look = async (id: string, report: NodeReport | undefined): Promise<ListedNode> => {
    const { release, ...place } = (await memberOf(redis, id)) ?? {}
    return {
      ...{ id, answers: report !== undefined },
      ...place,
      ...(release === undefined ? {} : { version: release }),
      ...report,
    }
  }

  router.get(
    '/nodes',
    scoped(authenticate, 'nodes:read', async (ctx) => {
      const read = readQuery(NodesParameters, ctx.query)
      if (!read.ok) return problem(ctx, 'INVALID', read.why)
      const { cursor, limit } = read.value
      const place = cursor === undefined ? { after: '' } : decodeCursor(cursor, Place)
      if (!place) return problem(ctx, 'INVALID', NO_CURSOR)
      const { ids: all, reports } = await everyone()
      const ids = all.filter((id) => id > place.after)
      const page = ids.slice(0, limit)
      const listed = await Promise.all(page.map((id) => look(id, reports.get(id))))
      const after = page.at(-1)
      const next = after !== undefined && page.length < ids.length ? { cursor: encodeCursor({ after }) } : {}
      ctx.set('Cache-Control', 'no-store')
      ctx.body = { nodes: listed, ...next }
    }),
  )

  router.post(
    '/nodes/:id/drain',
    scoped(authenticate, 'nodes:write', async (ctx, who) => {
      const query = readQuery(v.strictObject({}), ctx.query)
      if (!query.ok) return problem(ctx, 'INVALID', query.why)
      const body = await readBody(ctx, {})
      if (!('json' in body)) return problem(ctx, body.code, body.detail)
      const members = readQuery(DrainRequest, body.json, 'member')
      if (!members.ok) return problem(ctx, 'INVALID', members.why)
      const { id } = ctx.params
      if (!v.is(NodeId, id) || !(await memberOf(redis, id))) return problem(ctx, 'NOT_FOUND', 'no such node is running')
      if (!members.value.force) {
        const { reports } = await everyone()
        const isOther = [...reports].some(([other, { ready }]) => other !== id && ready)
        // One that drains already answers the same as before.
        if (!isOther && !reports.get(id)?.draining) return problem(ctx, 'FORBIDDEN', LAST)
      }
      // Before it happens: the node may drain though its acknowledgement is lost.
      noteAct(audit, ctx, who, 'node.drain', { name: id })
      if (!(await nodes.drain(id))) {
        // A node that was killed has its name for five more seconds.
        if (!(await memberOf(redis, id))) return problem(ctx, 'NOT_FOUND', 'no such node is running')
        return problem(ctx, 'INTERNAL', `node ${id} does not answer: ask again`)
      }
      ctx.set('Cache-Control', 'no-store')
      ctx.body = { id, draining: true }
    }),
  )

  return router
}
