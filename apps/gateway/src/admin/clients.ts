import Router from '@koa/router'
import type { Audit } from '@saoma/audit'
import { fail, ok, type Result } from '@saoma/protocol'
import type { ClientList } from '../access/client-list.ts'
import type { ClientStore, MadeClient } from '../access/client-store.ts'
import type { HeldClients } from '../access/held-clients.ts'
import type { HeldKeys } from '../access/held-keys.ts'
import { listClients, listedClient, placeOfClient, readListedClient } from '../access/listed-client.ts'
import type { Authenticate, Backend } from '../access/principal.ts'
import { CLIENT_ID_RULE, isClientId, type Registration } from '../access/read-clients.ts'
import type { StoredClient } from '../access/stored-client.ts'
import { type Caller, isMadeLately, KEEPS_MARKS_MS } from '../access/table-store.ts'
import type { Logger } from '../operate/log.ts'
import { readJson } from '../transport/http/body.ts'
import type { Context, RequestState } from '../transport/http/context.ts'
import { scoped } from '../transport/http/credentials.ts'
import { answer, problem } from '../transport/http/problem.ts'
import { readStrictly } from '../transport/http/shape.ts'
import { noteRead } from './acted.ts'
import { clientList, readClientChange, readNewClient } from './client-requests.ts'
import { nothing, pageOf, rotation } from './entry-requests.ts'

export interface ClientsDeps {
  store: ClientStore
  held: Pick<HeldClients, 'refresh' | 'drop' | 'held' | 'removed'>
  file: Pick<ClientList, 'find' | 'registrations'>
}

export interface ClientRoutesDeps {
  applications: ClientsDeps
  keys: { held: Pick<HeldKeys, 'isFormer'> }
  authenticate: Authenticate
  audit: Pick<Audit, 'note'>
  log: Pick<Logger, 'warn'>
}

/** Most bytes of a body. */
const LARGEST_BODY = 32 * 1024
const IN_FILE = 'this application is in SAOMA_CLIENTS: change that list'
const NONE = 'there is no such application in Redis'
const FORMER = 'a rotation has replaced this secret of the API key: use the new one'

/** The routes with which an administrator registers, lists, changes, rotates and removes applications. */
export const clientRoutes = (deps: ClientRoutesDeps): Router<RequestState> => {
  const { applications, keys, authenticate, audit, log } = deps
  const { store, held, file } = applications
  const router = new Router<RequestState>({ prefix: '/v1/admin', sensitive: true })

  const isInFile = (id: string): boolean => file.find(id) !== undefined
  /** Whoever may write may write all: a redirect address of one is as good as its secret. */
  const callerOf = ({ id }: Backend): Caller<StoredClient> => ({ id, mayChange: () => ok(true), held: held.held })

  type Kind = 'client.made' | 'client.changed' | 'client.rotated' | 'client.removed'
  /** @param id  of the entry, if it may be noted once only: an earlier answer may have been lost */
  const note = (ctx: Context, kind: Kind, client: string, { name: key }: Backend, id?: string): void => {
    const entry = { kind, client, key, by: 'backend', ip: ctx.ip } as const
    if (id === undefined) audit.note(entry)
    else audit.note(entry, { once: { name: `${kind}.${id}`, ms: KEEPS_MARKS_MS } })
  }

  /** Makes a route that takes no parameters. */
  const about = (scope: 'clients:read' | 'clients:write', act: (ctx: Context, who: Backend, id: string) => unknown) =>
    scoped(authenticate, scope, async (ctx, who) => {
      ctx.state.largestBody = LARGEST_BODY
      const asked = readStrictly(nothing, ctx.query, 'parameter')
      if (!asked.ok) return problem(ctx, 'INVALID', asked.why)
      const { client_id: id } = ctx.params
      if (id !== undefined && !isClientId(id)) return problem(ctx, 'INVALID', `client_id ${CLIENT_ID_RULE}`)
      await act(ctx, who, id ?? '')
    })
  /** Makes a route that writes. Whoever has a former secret of a key could make what outlives it. */
  const changing = (act: (ctx: Context, who: Backend, id: string) => unknown) =>
    about('clients:write', (ctx, who, id) =>
      keys.held.isFormer(who) ? problem(ctx, 'FORBIDDEN', FORMER) : act(ctx, who, id),
    )

  /** This node knows the change before its caller does. Others hear of it. */
  const learn = async (): Promise<void> => {
    try {
      await held.refresh()
    } catch (error) {
      log.warn({ err: error }, 'a change of the applications was written, and could not be read again')
    }
  }

  /** Calls for an entry that Redis may have lost: then the node puts it back first. */
  const withLost = async <T>(id: string, call: () => Promise<Result<T>>): Promise<Result<T>> => {
    const first = await call()
    if (first.ok || first.code !== 'NOT_FOUND' || !held.held(id)) return first
    await held.refresh()
    return call()
  }
  const refuse = (ctx: Context, { code, detail }: Extract<Result<unknown>, { ok: false }>, id: string): void => {
    if (code !== 'NOT_FOUND') return problem(ctx, code, detail)
    return isInFile(id) ? problem(ctx, 'FORBIDDEN', IN_FILE) : problem(ctx, 'NOT_FOUND', NONE)
  }

  const create = async (who: Backend, client: Registration): Promise<Result<MadeClient>> => {
    // Redis may have lost the application of this id: another one in its place would end it.
    if (held.held(client.client_id)) await held.refresh()
    return held.held(client.client_id) ? fail('NAME_TAKEN') : store.create(client, who.name, callerOf(who))
  }

  /** Notes that the caller has made this application, if the answer was lost before that was noted. */
  const noteLate = async (ctx: Context, id: string, who: Backend): Promise<void> => {
    await learn()
    const entry = held.held(id)
    if (entry?.madeBy === who.name && isMadeLately(entry)) note(ctx, 'client.made', id, who, entry.id)
  }

  const told = ({ secret, entry }: MadeClient) =>
    ok({ ...(secret === undefined ? {} : { client_secret: secret }), ...listedClient(entry) })

  router.get(
    '/clients',
    scoped(authenticate, 'clients:read', async (ctx, who) => {
      const asked = readStrictly(clientList, ctx.query, 'parameter')
      if (!asked.ok) return problem(ctx, 'INVALID', asked.why)
      noteRead(audit, ctx, who, 'clients.list')
      const { items, ...more } = pageOf(await listClients(store, file), asked.value, placeOfClient)
      answer(ctx, ok({ clients: items, ...more }))
    }),
  )

  router.get(
    '/clients/:client_id',
    about('clients:read', async (ctx, who, id) => {
      const found = await readListedClient(id, store, file)
      noteRead(audit, ctx, who, 'clients.read', { name: id })
      return found ? answer(ctx, ok(found)) : problem(ctx, 'NOT_FOUND', 'there is no such application')
    }),
  )

  router.post(
    '/clients',
    changing(async (ctx, who) => {
      const body = await readJson(ctx)
      if (!body) return
      const asked = readNewClient(body.json)
      if (!asked.ok) return problem(ctx, 'INVALID', asked.why)
      const id = asked.value.client_id
      if (isInFile(id)) return problem(ctx, 'NAME_TAKEN', IN_FILE)
      const made = await create(who, asked.value)
      if (!made.ok) {
        if (made.code === 'NAME_TAKEN') await noteLate(ctx, id, who)
        return problem(ctx, made.code, made.detail)
      }
      note(ctx, 'client.made', id, who, made.value.entry.id)
      await learn()
      answer(ctx, told(made.value))
      ctx.status = 201
    }),
  )

  router.post(
    '/clients/:client_id',
    changing(async (ctx, who, id) => {
      const body = await readJson(ctx)
      if (!body) return
      const asked = readClientChange(body.json, id)
      if (!asked.ok) return problem(ctx, 'INVALID', asked.why)
      const changed = await withLost(id, () => store.change(id, asked.value, callerOf(who)))
      if (!changed.ok) return refuse(ctx, changed, id)
      const { entry, before } = changed.value
      if (entry !== before) note(ctx, 'client.changed', id, who)
      await learn()
      answer(ctx, ok(listedClient(entry)))
    }),
  )

  router.post(
    '/clients/:client_id/rotate',
    changing(async (ctx, who, id) => {
      const body = await readJson(ctx, {})
      if (!body) return
      const asked = readStrictly(rotation, body.json, 'member')
      if (!asked.ok) return problem(ctx, 'INVALID', asked.why)
      const overlapMs = asked.value.overlapSeconds * 1000
      const made = await withLost(id, () => store.rotate(id, overlapMs, callerOf(who)))
      if (!made.ok) return refuse(ctx, made, id)
      note(ctx, 'client.rotated', id, who)
      await learn()
      answer(ctx, told(made.value))
    }),
  )

  router.delete(
    '/clients/:client_id',
    about('clients:write', async (ctx, who, id) => {
      const body = await readJson(ctx, {})
      if (!body) return
      const asked = readStrictly(nothing, body.json, 'member')
      if (!asked.ok) return problem(ctx, 'INVALID', asked.why)
      const removed = await store.remove(id, callerOf(who))
      if (!removed.ok) return problem(ctx, removed.code, removed.detail)
      const entry = removed.value?.id ?? held.removed(id)
      if (entry !== undefined) note(ctx, 'client.removed', id, who, entry)
      if (removed.value) held.drop(removed.value.id, id)
      else if (isInFile(id)) return problem(ctx, 'FORBIDDEN', IN_FILE)
      answer(ctx, ok({ client_id: id, removed: removed.value !== undefined }))
    }),
  )

  return router
}
