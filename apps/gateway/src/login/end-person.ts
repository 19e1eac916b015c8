import type { Audit } from '@saoma/audit'
import type { Ends } from '@saoma/channels'
import type { Identity } from '@saoma/identity'
import type { EndNotice } from '@saoma/protocol'
import { because, type EndCause } from './end-cause.ts'

export interface EndPersonDeps {
  identity: Pick<Identity, 'end' | 'endAll'>
  channels: Pick<Ends, 'end'>
  audit: Pick<Audit, 'note'>
  /** For how long ends are remembered, in milliseconds. @default an hour */
  keepMs?: number | undefined
}

/** Which sessions of a person end, and what they are told. `sid` and `keep` exclude each other. */
export interface HowToEnd {
  /** Only this session. */
  sid?: string | undefined
  /** All but this one. */
  keep?: string | undefined
  /** A sentence for the person, shown as text by pages. */
  reason?: string | undefined
}

/**
 * Ends what a person has: the sessions, with their refresh tokens; logins that the person's phone has scanned
 * and whose page has no tokens yet; sockets, event streams and held polls on every node, also those of a
 * phone, a mini-program or a business's own token. With `sid` only what belongs to that session ends.
 *
 * When it resolves, all of that is written: no later call with a token of before succeeds, and no refresh
 * token of before gives another. Nodes close sockets when they are told, which is within a second. What the
 * person begins afterwards is not affected, so disable an account before you call it. A phone's token has no
 * session: its sockets close, but it stays good for its ten minutes.
 *
 * The audit gets one entry for each session that ended, with `cause`, or one for the person if none did.
 * It has `reason` too, sealed.
 *
 * Resolves with the number of Saoma's own sessions that this call ended. It is 0 for a business's own person.
 * Rejects with RedisUnavailable: then part of it may be done, and the same call completes it.
 */
export type EndPerson = (user: string, cause: EndCause, how?: HowToEnd) => Promise<number>

export const createEndPerson =
  ({ identity, channels, audit, keepMs }: EndPersonDeps): EndPerson =>
  async (user, cause, { sid, keep, reason } = {}) => {
    const told: EndCause = reason === undefined ? cause : { ...cause, said: reason }
    const notice: EndNotice = { code: 'REVOKED', ...(reason === undefined ? {} : { reason }) }
    // Each session is noted where its end is announced.
    const ended = await because(
      () => told,
      async () =>
        sid === undefined ? await identity.endAll(user, keep, notice) : Number(await identity.end(user, sid, notice)),
    )
    // Saoma's own sessions are over, and each was announced. This reaches tokens that belong to none of them.
    const remember = keepMs === undefined ? {} : { keepMs }
    await channels.end(user, sid, { ...(keep === undefined ? {} : { keep }), ...notice, ...remember })
    if (ended === 0) audit.note({ kind: 'session.ended', person: user, ...(sid === undefined ? {} : { sid }), ...told })
    return ended
  }
