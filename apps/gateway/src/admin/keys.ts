import Router from '@koa/router'
import type { Audit } from '@saoma/audit'
import { ok, type Result } from '@saoma/protocol'
import type { ApiKeys } from '../access/api-keys.ts'
import { mayGive } from '../access/grant.ts'
import type { HeldKeys } from '../access/held-keys.ts'
import type { KeyStore, MadeKey, MayChange } from '../access/key-store.ts'
import { listed, listKeys, rightsOf } from '../access/listed-key.ts'
import type { Authenticate, Backend } from '../access/principal.ts'
import type { Logger } from '../operate/log.ts'
import { readJson } from '../transport/http/body.ts'
import type { Context, RequestState } from '../transport/http/context.ts'
import { scoped } from '../transport/http/credentials.ts'
import { answer, problem } from '../transport/http/problem.ts'
import { flawIn, KeyListQuery, NewKeyRequest, pageOf, RotateRequest } from './key-requests.ts'

export interface KeysDeps {
  store: KeyStore
  held: Pick<HeldKeys, 'refresh' | 'drop'>
  file: Pick<ApiKeys, 'all'>
}

export interface KeyRoutesDeps {
  keys: KeysDeps
  authenticate: Authenticate
  audit: Pick<Audit, 'note'>
  log: Pick<Logger, 'warn'>
}

/** Most bytes of a body. */
const LARGEST_BODY = 16 * 1024
const IN_FILE = 'this key is a line of SAOMA_API_KEYS: change that list'

/** The routes with which an administrator makes, lists, rotates and revokes API keys. */
export const keyRoutes = ({ keys, authenticate, audit, log }: KeyRoutesDeps): Router<RequestState> => {
  const { store, held, file } = keys
  const router = new Router<RequestState>({ prefix: '/v1/admin', sensitive: true })

  const isInFile = (name: string): boolean => file.all().some((backend) => backend.name === name)

  /** A caller may change keys that may no more than itself, and itself. */
  const within =
    (who: Backend): MayChange =>
    (key) =>
      key.id === who.id ? ok(true) : mayGive(who, rightsOf(key))

  const note = (ctx: Context, kind: 'key.made' | 'key.rotated' | 'key.revoked', name: string, who: Backend): void =>
    audit.note({ kind, key: name, by: 'backend', reason: who.name, ip: ctx.ip })

  /** This node knows the change before its caller does. Others hear of it. */
  const learn = async (): Promise<void> => {
    try {
      await held.refresh()
    } catch (error) {
      log.warn({ err: error }, 'a change of the API keys was written, and could not be read again')
    }
  }

  const answerMade = async (ctx: Context, made: Result<MadeKey>): Promise<boolean> => {
    if (!made.ok) {
      problem(ctx, made.code, made.detail)
      return false
    }
    await learn()
    const { secret, key } = made.value
    answer(ctx, ok({ key: secret, ...listed(key) }))
    return true
  }

  router.get(
    '/keys',
    scoped(authenticate, 'keys:write', async (ctx) => {
      const asked = flawIn(KeyListQuery, ctx.query, 'parameter')
      if (!asked.ok) return problem(ctx, 'INVALID', asked.why)
      answer(ctx, ok(pageOf(await listKeys(store, file.all()), asked.value)))
    }),
  )

  router.post(
    '/keys',
    scoped(authenticate, 'keys:write', async (ctx, who) => {
      ctx.state.largestBody = LARGEST_BODY
      const body = await readJson(ctx)
      if (!body) return
      const asked = flawIn(NewKeyRequest, body.json, 'member')
      if (!asked.ok) return problem(ctx, 'INVALID', asked.why)
      const { expiresAt, ...order } = asked.value
      const may = mayGive(who, { ...order, expiresAt: expiresAt ?? Number.POSITIVE_INFINITY })
      if (!may.ok) return problem(ctx, may.code, may.detail)
      if (isInFile(order.name)) return problem(ctx, 'NAME_TAKEN', IN_FILE)
      const made = await store.create({ ...order, madeBy: who.name, ...(expiresAt === undefined ? {} : { expiresAt }) })
      if (made.ok) note(ctx, 'key.made', order.name, who)
      if (await answerMade(ctx, made)) ctx.status = 201
    }),
  )

  router.post(
    '/keys/:name/rotate',
    scoped(authenticate, 'keys:write', async (ctx, who) => {
      ctx.state.largestBody = LARGEST_BODY
      const body = await readJson(ctx, {})
      if (!body) return
      const asked = flawIn(RotateRequest, body.json, 'member')
      if (!asked.ok) return problem(ctx, 'INVALID', asked.why)
      const name = ctx.params.name ?? ''
      const made = await store.rotate(name, asked.value.overlapSeconds * 1000, within(who))
      if (!made.ok && made.code === 'NOT_FOUND')
        return isInFile(name) ? problem(ctx, 'FORBIDDEN', IN_FILE) : problem(ctx, 'NOT_FOUND', 'there is no such key')
      if (made.ok) note(ctx, 'key.rotated', name, who)
      await answerMade(ctx, made)
    }),
  )

  router.delete(
    '/keys/:name',
    scoped(authenticate, 'keys:write', async (ctx, who) => {
      const name = ctx.params.name ?? ''
      const revoked = await store.revoke(name, within(who))
      if (!revoked.ok) return problem(ctx, revoked.code, revoked.detail)
      if (revoked.value) {
        note(ctx, 'key.revoked', name, who)
        held.drop(revoked.value.id, name)
      } else if (isInFile(name)) return problem(ctx, 'FORBIDDEN', IN_FILE)
      answer(ctx, ok({ name, revoked: revoked.value !== undefined }))
    }),
  )

  return router
}
