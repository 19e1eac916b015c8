import { RedisUnavailable } from '@saoma/redis'
import { errorPage } from './error-page.ts'
import { type Grants, withoutPerson } from './grants.ts'
import type { Adapter, AdapterPayload, KoaContextWithOIDC } from './oidc-provider.ts'
import { requestState } from './request-state.ts'
import type { Sessions } from './sessions.ts'
import { useUpLast } from './used-up.ts'

/** How long a question of the provider waits in a browser in which nobody is logged in. */
const QUESTION_SECONDS = 15 * 60

type Authorizations = Record<string, { persistsLogout?: boolean }>

/** The provider would not revoke the grant of an application that is left: it takes it for a longer one. */
const endingWithLogout = (payload: AdapterPayload): AdapterPayload => {
  const { authorizations } = payload as { authorizations?: Authorizations }
  if (!authorizations) return payload
  const entries = Object.entries(authorizations).map(([id, { persistsLogout: _, ...kept }]) => [id, kept])
  return { ...payload, authorizations: Object.fromEntries(entries) }
}

/**
 * oidc-provider's storage of sessions in browsers' cookies, on top of our own. A browser is logged in as long
 * as the session that the record names (`uid`) is not over. So ending a session, wherever that is done, ends
 * single sign-on with it. Who is logged in stands in the record of that session alone.
 *
 * A browser in which nobody is logged in has nothing to remember but a question of the provider (`state`).
 * Else whoever has an old cookie could fill Redis: each request with it would store a session for two weeks.
 */
export const createBrowserSessions = (records: Adapter, grants: Pick<Grants, 'ownerOf'>): Adapter => ({
  ...records,
  find: async (id) => {
    const record = await records.find(id)
    if (record?.loginTs === undefined) return record
    const accountId = await grants.ownerOf(record.uid ?? '')
    const state = requestState()
    if (state && accountId !== undefined && record.uid !== undefined) state.entered = record.uid
    if (accountId !== undefined) return { ...record, accountId }
    await records.destroy(id)
    return undefined
  },
  // The provider deletes a session before it stores what follows, such as the same under a new name.
  destroy: (id) => useUpLast(async () => void (await records.destroy(id))),
  upsert: async (id, payload, expiresIn) => {
    const record = endingWithLogout(payload)
    if (record.loginTs !== undefined) return records.upsert(id, withoutPerson(record), expiresIn)
    if (record.state !== undefined)
      return records.upsert(id, record, Math.min(expiresIn ?? QUESTION_SECONDS, QUESTION_SECONDS))
  },
})

/** Another person has logged in at this browser. The session of the former one ends with its cookie. */
export const endReplaced = async (ctx: KoaContextWithOIDC, sessions: Pick<Sessions, 'end'>): Promise<void> => {
  if (ctx.path !== '/session/end/confirm') return
  const { session } = ctx.oidc
  const { destroyed } = (session ?? {}) as { destroyed?: boolean }
  if (!destroyed || !session?.accountId) return
  try {
    await sessions.end(session.accountId, session.uid)
  } catch (error) {
    if (!(error instanceof RedisUnavailable)) throw error
    ctx.status = 503
    errorPage(ctx, { error: 'temporarily_unavailable' })
  }
}
