import Router from '@koa/router'
import type { Audit } from '@saoma/audit'
import { fail, ok, type Result } from '@saoma/protocol'
import { type ApiKeys, isKeyName, NAME_RULE } from '../access/api-keys.ts'
import { mayGive } from '../access/grant.ts'
import type { HeldKeys } from '../access/held-keys.ts'
import type { KeyOrder, KeyStore, MadeKey } from '../access/key-store.ts'
import { listed, listKeys, placeOfKey, rightsOf } from '../access/listed-key.ts'
import type { Authenticate, Backend } from '../access/principal.ts'
import type { StoredKey } from '../access/stored-key.ts'
import { type Caller, isMadeLately, KEEPS_MARKS_MS } from '../access/table-store.ts'
import type { Logger } from '../operate/log.ts'
import { readJson } from '../transport/http/body.ts'
import type { Context, RequestState } from '../transport/http/context.ts'
import { scoped } from '../transport/http/credentials.ts'
import { answer, problem } from '../transport/http/problem.ts'
import { readStrictly } from '../transport/http/shape.ts'
import { noteRead } from './acted.ts'
import { nothing, pageOf, rotation } from './entry-requests.ts'
import { keyList, newKey } from './key-requests.ts'

export interface KeysDeps {
  store: KeyStore
  held: Pick<HeldKeys, 'refresh' | 'drop' | 'held' | 'removed' | 'isFormer'>
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
  const callerOf = (who: Backend): Caller<StoredKey> => ({
    id: who.id,
    mayChange: (key) => (key.id === who.id ? ok(true) : mayGive(who, rightsOf(key))),
    held: held.held,
  })

  /** Whoever has a former secret could make one that outlives it. */
  const mayDraw = (who: Backend): Result<true> =>
    held.isFormer(who)
      ? { ...fail('FORBIDDEN'), detail: 'a rotation has replaced this secret: use the new one' }
      : ok(true)

  /** @param id  of the key, if it may be noted once only: the answer to an earlier call may have been lost */
  const note = (
    ctx: Context,
    kind: 'key.made' | 'key.rotated' | 'key.revoked',
    name: string,
    who: Backend,
    id?: string,
  ): void => {
    const entry = { kind, key: name, by: 'backend', reason: who.name, ip: ctx.ip } as const
    if (id === undefined) audit.note(entry)
    else audit.note(entry, { once: { name: `${kind}.${id}`, ms: KEEPS_MARKS_MS } })
  }

  /** Makes a route of one or all keys that writes. It takes no parameters. */
  const changing = (act: (ctx: Context, who: Backend, name: string) => Promise<void>) =>
    scoped(authenticate, 'keys:write', async (ctx, who) => {
      ctx.state.largestBody = LARGEST_BODY
      const asked = readStrictly(nothing, ctx.query, 'parameter')
      if (!asked.ok) return problem(ctx, 'INVALID', asked.why)
      const { name } = ctx.params
      if (name !== undefined && !isKeyName(name)) return problem(ctx, 'INVALID', `name ${NAME_RULE}`)
      await act(ctx, who, name ?? '')
    })

  /** This node knows the change before its caller does. Others hear of it. */
  const learn = async (): Promise<void> => {
    try {
      await held.refresh()
    } catch (error) {
      log.warn({ err: error }, 'a change of the API keys was written, and could not be read again')
    }
  }

  const create = async (who: Backend, order: KeyOrder): Promise<Result<MadeKey>> => {
    // Redis may have lost the key of this name: another one in its place would end it.
    if (held.held(order.name)) await held.refresh()
    return held.held(order.name) ? fail('NAME_TAKEN') : store.create(order, callerOf(who))
  }

  /** Notes that the caller has made this key, if the answer was lost before that was noted. */
  const noteLate = async (ctx: Context, name: string, who: Backend): Promise<void> => {
    await learn()
    const key = held.held(name)
    if (key?.madeBy === who.name && isMadeLately(key)) note(ctx, 'key.made', name, who, key.id)
  }

  const answerMade = async (ctx: Context, made: Result<MadeKey>): Promise<boolean> => {
    if (!made.ok) {
      problem(ctx, made.code, made.detail)
      return false
    }
    await learn()
    const { secret, entry } = made.value
    answer(ctx, ok({ key: secret, ...listed(entry) }))
    return true
  }

  router.get(
    '/keys',
    scoped(authenticate, 'keys:write', async (ctx, who) => {
      const asked = readStrictly(keyList, ctx.query, 'parameter')
      if (!asked.ok) return problem(ctx, 'INVALID', asked.why)
      noteRead(audit, ctx, who, 'keys.list')
      const { items, ...more } = pageOf(await listKeys(store, file.all()), asked.value, placeOfKey)
      answer(ctx, ok({ keys: items, ...more }))
    }),
  )

  router.post(
    '/keys',
    changing(async (ctx, who) => {
      const body = await readJson(ctx)
      if (!body) return
      const asked = readStrictly(newKey, body.json, 'member')
      if (!asked.ok) return problem(ctx, 'INVALID', asked.why)
      const { expiresAt, ...order } = asked.value
      const mayMake = mayDraw(who)
      if (!mayMake.ok) return problem(ctx, mayMake.code, mayMake.detail)
      const may = mayGive(who, { ...order, expiresAt: expiresAt ?? Number.POSITIVE_INFINITY })
      if (!may.ok) return problem(ctx, may.code, may.detail)
      if (isInFile(order.name)) return problem(ctx, 'NAME_TAKEN', IN_FILE)
      const made = await create(who, { ...order, madeBy: who.name, ...(expiresAt === undefined ? {} : { expiresAt }) })
      if (made.ok) note(ctx, 'key.made', order.name, who, made.value.entry.id)
      else if (made.code === 'NAME_TAKEN') await noteLate(ctx, order.name, who)
      if (await answerMade(ctx, made)) ctx.status = 201
    }),
  )

  router.post(
    '/keys/:name/rotate',
    changing(async (ctx, who, name) => {
      const body = await readJson(ctx, {})
      if (!body) return
      const asked = readStrictly(rotation, body.json, 'member')
      if (!asked.ok) return problem(ctx, 'INVALID', asked.why)
      const may = mayDraw(who)
      if (!may.ok) return problem(ctx, may.code, may.detail)
      const rotate = () => store.rotate(name, asked.value.overlapSeconds * 1000, callerOf(who))
      let made = await rotate()
      if (!made.ok && made.code === 'NOT_FOUND' && held.held(name)) {
        // Redis has lost it, and the node puts it back.
        await held.refresh()
        made = await rotate()
      }
      if (!made.ok && made.code === 'NOT_FOUND')
        return isInFile(name) ? problem(ctx, 'FORBIDDEN', IN_FILE) : problem(ctx, 'NOT_FOUND', 'there is no such key')
      if (made.ok) note(ctx, 'key.rotated', name, who)
      await answerMade(ctx, made)
    }),
  )

  router.delete(
    '/keys/:name',
    changing(async (ctx, who, name) => {
      const body = await readJson(ctx, {})
      if (!body) return
      const asked = readStrictly(nothing, body.json, 'member')
      if (!asked.ok) return problem(ctx, 'INVALID', asked.why)
      const revoked = await store.remove(name, callerOf(who))
      if (!revoked.ok) return problem(ctx, revoked.code, revoked.detail)
      const id = revoked.value?.id ?? held.removed(name)
      if (id !== undefined) note(ctx, 'key.revoked', name, who, id)
      if (revoked.value) held.drop(revoked.value.id, name)
      else if (isInFile(name)) return problem(ctx, 'FORBIDDEN', IN_FILE)
      answer(ctx, ok({ name, revoked: revoked.value !== undefined }))
    }),
  )

  return router
}
