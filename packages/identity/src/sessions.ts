import { type LoginRequest, userChannel } from '@saoma/protocol'
import { orUnavailable, type RedisClients, RedisUnavailable } from '@saoma/redis'
import * as v from 'valibot'
import type { Grants } from './grants.ts'
import { addSession } from './scripts.ts'
import { isMark, overUntil, type SessionMarks } from './session-marks.ts'

/** Where a person is logged in, as the phone displayed it before the person confirmed. */
export interface SessionRecord extends Pick<LoginRequest, 'app' | 'ip' | 'browser' | 'os'> {
  sid: string
  /** OAuth client that the tokens were issued to. */
  client: string
  /** ISO 8601 time of the login. */
  since: string
}

/** A session that has just begun: it is live, and listed. */
export interface BegunSession {
  sub: string
  sid: string
}

/** A session whose entry and grant are written. */
export interface Beginning {
  /**
   * Resolves with whether the session may be given to its browser. With false, and without a grant, if the
   * person's sessions were ended in the meantime.
   */
  stands: Promise<boolean>
}

/** The sessions of each person. Every call rejects with RedisUnavailable when Redis is unavailable. */
export interface Sessions {
  /**
   * Begins a session with what `saveGrant` stores. Tokens may be made meanwhile, but not given away before
   * `stands`. Resolves with undefined if the session has ended already.
   */
  begin(sub: string, record: SessionRecord, saveGrant: () => Promise<void>): Promise<Beginning | undefined>
  /** The live sessions, newest first. */
  list(sub: string): Promise<SessionRecord[]>
  /**
   * Resolves with whether this call ended the session. False if the session is not this person's, is over, or
   * is being ended by another call.
   */
  end(sub: string, sid: string): Promise<boolean>
  /** Ends all but `keep`. Resolves with how many this call ended. */
  endAll(sub: string, keep?: string): Promise<number>
}

const Entry = v.object({
  client: v.string(),
  app: v.string(),
  ip: v.string(),
  browser: v.string(),
  os: v.string(),
  since: v.pipe(v.string(), v.isoTimestamp()),
} satisfies Record<keyof Omit<SessionRecord, 'sid'>, unknown>)
type Entry = v.InferOutput<typeof Entry>
const readEntry = v.safeParser(v.pipe(v.string(), v.parseJson(), Entry))

/** The life of a grant. */
export const SESSION_SECONDS = 90 * 24 * 60 * 60
/** When another session begins, the oldest one is ended. */
export const MOST_SESSIONS = 100
/**
 * An index of grants by person. The order of the steps guarantees that no live session is unlisted:
 *
 * - Begin: write the entry, write the grant, check that the entry is unchanged. Only then give tokens away.
 * - End: replace the entry by a mark, delete the grant, replace the mark by one that says "over".
 *
 * There are two cases. If the check precedes the mark, the end finds the grant and deletes it. Otherwise the
 * check finds the mark, and the beginning deletes its own grant. If an end was interrupted after its mark,
 * the next `list` or `end` completes it. A repeated login finds the mark as well, so an ended session does
 * not come back.
 */
export const createSessions = (
  { data, keys, writing, reachReplicas }: RedisClients,
  marks: SessionMarks,
  grants: Pick<Grants, 'at' | 'destroy' | 'hasSession'>,
): Sessions => {
  const forget = async (sub: string, sids: readonly string[]) => {
    if (sids.length > 0) await orUnavailable(data.hdel(keys.sessions(sub), ...sids))
  }

  /** Resolves with the number of sessions that this call ended. */
  const finish = async (sub: string, sids: readonly string[]): Promise<number> => {
    if (sids.length === 0) return 0
    const at = keys.sessions(sub)
    // Check the replicas of everything below before the first step: a person who ends their own session could
    // not retry.
    await reachReplicas(at, ...sids.map(grants.at), keys.channelEnds(userChannel(sub)))
    const lived = await Promise.all(sids.map((sid) => grants.hasSession(sid)))
    const replicated = writing(at)
    const wereMarked = new Set(await marks.begin(sub, sids))
    await Promise.all(sids.map((sid) => grants.destroy(sid)))
    // Wait for the marks. Their replacement need not be replicated: the next reader of a mark completes it.
    await replicated()
    const ended = new Set(await marks.finish(sub, sids))
    // Of several calls that end the same session, the one that replaced the mark counts; another may have
    // deleted the grant. An expired session was ended by nobody. If a call marked a session and then failed
    // because replicas were missing, this call has ended it.
    return sids.filter((sid, i) => ended.has(sid) && (lived[i] || wereMarked.has(sid))).length
  }

  const read = async (sub: string) => {
    const records: SessionRecord[] = []
    // Treat unreadable entries like marks: a session that its owner cannot see must not live.
    const halfEnded: string[] = []
    const over: string[] = []
    for (const [sid, text] of Object.entries(await orUnavailable(data.hgetall(keys.sessions(sub))))) {
      const entry = readEntry(text)
      const until = overUntil(text)
      if (entry.success) records.push({ sid, ...entry.output })
      else if (until === undefined) halfEnded.push(sid)
      else if (until < Date.now()) over.push(sid)
    }
    return { records: records.sort((a, b) => b.since.localeCompare(a.since)), halfEnded, over }
  }

  const list = async (sub: string): Promise<SessionRecord[]> => {
    const { records, halfEnded, over } = await read(sub)
    await finish(sub, halfEnded)
    const lives = await Promise.all(records.map(({ sid }) => grants.hasSession(sid)))
    // A session without a grant may still be beginning: `since` is the time at which the person confirmed.
    const youngest = Date.now() - marks.keepMs
    const gone = records.filter(({ since }, i) => !lives[i] && Date.parse(since) < youngest)
    await forget(sub, [...over, ...gone.map(({ sid }) => sid)])
    return records.filter((_, i) => lives[i])
  }

  /** Only live sessions count: expired sessions leave their entries behind. */
  const makeRoom = async (sub: string, own: string): Promise<void> => {
    const others = (await list(sub)).filter(({ sid }) => sid !== own)
    await finish(
      sub,
      others.slice(MOST_SESSIONS - 1).map(({ sid }) => sid),
    )
  }

  return {
    begin: async (sub, { sid, ...entry }, saveGrant) => {
      const at = keys.sessions(sub)
      const text = JSON.stringify(entry satisfies Entry)
      const replicated = writing(at)
      const listed = await addSession(data, [at], [sid, text, SESSION_SECONDS])
      const check = async (): Promise<boolean> => {
        const found = await orUnavailable(data.hget(at, sid))
        // An end always leaves a mark. If the entry is missing, Redis has lost it, and the client may repeat
        // the login.
        if (found === null) throw new RedisUnavailable('the list of sessions has lost what was just written')
        if (isMark(found)) {
          await grants.destroy(sid)
          return false
        }
        if (listed > MOST_SESSIONS) await makeRoom(sub, sid)
        return true
      }
      if (listed === 0) {
        await check()
        return undefined
      }
      await saveGrant()
      await replicated()
      const stands = check()
      // If the login fails before it asks, nobody else does.
      stands.catch(() => {})
      return { stands }
    },

    list,

    end: async (sub, sid) => {
      const text = await orUnavailable(data.hget(keys.sessions(sub), sid))
      return text !== null && overUntil(text) === undefined && (await finish(sub, [sid])) === 1
    },

    endAll: async (sub, keep) => {
      const entries = Object.entries(await orUnavailable(data.hgetall(keys.sessions(sub))))
      const others = entries.filter(([sid, text]) => sid !== keep && overUntil(text) === undefined)
      return finish(
        sub,
        others.map(([sid]) => sid),
      )
    },
  }
}
