import { type Adapter, Provider } from './oidc-provider.ts'
import { useUpLast } from './used-up.ts'

/** The member of an interaction's result that names the session which the login began. */
export const BEGUN = 'saoma'

/** What a login leaves in an interaction. */
interface Result {
  login?: { accountId?: string }
  [BEGUN]?: { sid?: string }
}

/**
 * oidc-provider's storage of interactions.
 *
 * The provider would store the browser's cookie with them, and does not need it. It would also refuse a login
 * whose browser has left the session of before in the meantime. A new login needs no former one. An agreement
 * does: it is given in that session.
 *
 * The provider deletes an interaction before it writes what follows from it. If that failed, or if the node
 * was killed, the person would have to begin anew. So it is deleted last.
 *
 * @param readAhead  begins to read what is asked for later: the account, and the entry of the session
 */
export const createInteractionRecords = (
  records: Adapter,
  readAhead: (sub: string, sid: string | undefined) => void,
): Adapter => ({
  ...records,
  find: async (id) => {
    const interaction = await records.find(id)
    const { login, [BEGUN]: begun } = (interaction?.result ?? {}) as Result
    if (login?.accountId !== undefined && Provider.ctx?.oidc.route === 'resume') readAhead(login.accountId, begun?.sid)
    return interaction
  },
  upsert: (id, payload, expiresIn) => {
    const { cookie: _, uid, ...session } = payload.session ?? {}
    const kept = payload.prompt?.name === 'consent' ? { ...session, uid } : session
    return records.upsert(id, payload.session ? { ...payload, session: kept } : payload, expiresIn)
  },
  // What is left of it could only be repeated by the same browser, which has its cookie.
  destroy: (id) => useUpLast(async () => void (await records.destroy(id).catch(() => {}))),
})
