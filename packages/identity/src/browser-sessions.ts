import { RedisUnavailable } from '@saoma/redis'
import { errorPage } from './error-page.ts'
import type { Grants } from './grants.ts'
import type { Adapter, AdapterPayload, KoaContextWithOIDC } from './oidc-provider.ts'
import type { Sessions } from './sessions.ts'

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
 * single sign-on with it.
 */
export const createBrowserSessions = (records: Adapter, grants: Pick<Grants, 'hasSession'>): Adapter => ({
  ...records,
  upsert: (id, payload, expiresIn) => records.upsert(id, endingWithLogout(payload), expiresIn),
  find: async (id) => {
    const record = await records.find(id)
    if (!record?.accountId || (await grants.hasSession(record.uid ?? ''))) return record
    await records.destroy(id)
    return undefined
  },
})

/**
 * The storage of interactions. The provider would store the browser's cookie with them, and does not need it.
 * It would also refuse a login whose browser has left the session of before in the meantime. A new login
 * needs no former one. An agreement does: it is given in that session.
 */
export const withoutCookie = (records: Adapter): Adapter => ({
  ...records,
  upsert: (id, payload, expiresIn) => {
    const { cookie: _, uid, ...session } = payload.session ?? {}
    const kept = payload.prompt?.name === 'consent' ? { ...session, uid } : session
    return records.upsert(id, payload.session ? { ...payload, session: kept } : payload, expiresIn)
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
    ctx.remove('Location')
    ctx.status = 503
    errorPage(ctx, { error: 'temporarily_unavailable' })
  }
}
