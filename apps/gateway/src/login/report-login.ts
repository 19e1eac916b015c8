import type { Audit } from '@saoma/audit'
import { type Identity, type SessionRecord, WEB_CLIENT } from '@saoma/identity'
import { type EndNotice, fail, ok, type Result, type SessionsEnded } from '@saoma/protocol'
import type { Inbox } from '@saoma/tickets'
import { REPEATED_MS } from './audited.ts'
import { because, type EndCause } from './end-cause.ts'

export interface ReportLoginDeps {
  identity: Pick<Identity, 'sessions' | 'end' | 'browsers'>
  audit: Pick<Audit, 'note' | 'activity'>
  /** Where an application is refused that has logged in somebody else. */
  inbox: Pick<Inbox, 'block'>
}

/** What is noted of the login that somebody reports. */
type Login = Partial<Pick<SessionRecord, 'client' | 'app' | 'ip' | 'browser' | 'os'>>

/** What the page of a reported session is told. */
const NOTICE: EndNotice = { code: 'REVOKED' }
/** As far as a phone lists what happened. */
const MOST_PAGES = 5
const PAGE = 100

/**
 * A person says of a login: this was not me. Ends its session, and notes what is known of the login. Its
 * browser cannot ask the person's phone any more, and its application not for a day. Resolves with whether
 * this call has ended the session. A report may be repeated. It also counts for a session that is over, as
 * long as the person can read of it. Else it fails with SESSION_NOT_FOUND. Rejects with RedisUnavailable:
 * repeat it then.
 *
 * @param by  who reports
 */
export type ReportLogin = (person: string, sid: string, by: EndCause) => Promise<Result<SessionsEnded>>

export const createReportLogin = ({ identity, audit, inbox }: ReportLoginDeps): ReportLogin => {
  /** The login of a session that is over, from what happened to the person. */
  const recall = async (person: string, sid: string): Promise<{ login: Login; isReported: boolean } | undefined> => {
    let cursor: string | undefined
    let isReported = false
    for (let i = 0; i < MOST_PAGES; i++) {
      const page = await audit.activity(person, { limit: PAGE, ...(cursor === undefined ? {} : { cursor }) })
      if (!page.ok) return undefined
      for (const entry of page.value.entries) {
        if (entry.sid !== sid) continue
        isReported ||= entry.kind === 'login.reported'
        if (entry.kind !== 'login.redeemed' && entry.kind !== 'session.began') continue
        const { client, app, ip, browser, os } = entry
        return { login: given({ client, app, ip, browser, os }), isReported }
      }
      cursor = page.value.cursor
      if (cursor === undefined) return undefined
    }
    return undefined
  }

  const note = (person: string, sid: string, { by }: EndCause, login: Login): void =>
    audit.note(
      { kind: 'login.reported', person, sid, ...(by ? { by } : {}), ...login },
      { once: { name: `reported.${sid}`, ms: REPEATED_MS } },
    )

  /** Whoever has logged in may ask again, also when the session is over. */
  const askNoMore = async (person: string, sid: string, { client }: Login): Promise<void> => {
    // Our own pages ask as the browser that they are in.
    if (client !== undefined && client !== WEB_CLIENT) await inbox.block(person, client)
    await identity.browsers.forgetSession(person, sid)
  }

  return async (person, sid, by) => {
    const listed = (await identity.sessions(person)).find((session) => session.sid === sid)
    if (listed) {
      await askNoMore(person, sid, listed)
      const ended = await because(
        () => ({ ...by, reason: 'reported' }),
        () => identity.end(person, sid, NOTICE),
      )
      const { client, app, ip, browser, os } = listed
      note(person, sid, by, { client, app, ip, browser, os })
      return ok({ ended: ended ? 1 : 0 })
    }
    const recalled = await recall(person, sid)
    if (!recalled) return fail('SESSION_NOT_FOUND')
    await askNoMore(person, sid, recalled.login)
    if (!recalled.isReported) note(person, sid, by, recalled.login)
    return ok({ ended: 0 })
  }
}

const given = (login: { [name in keyof Login]: string | undefined }): Login =>
  Object.fromEntries(Object.entries(login).filter(([, value]) => value !== undefined))
