import { type EndNotice, type LoginRequest, userChannel } from '@saoma/protocol'
import { orUnavailable, type RedisClients, RedisUnavailable } from '@saoma/redis'
import * as v from 'valibot'
import type { Grants } from './grants.ts'
import { addSession, replaceEntry } from './scripts.ts'
import { isMark, overUntil, type SessionMarks } from './session-marks.ts'
import { DEFAULT_LIMITS, leastOf, MOST_SESSIONS, type SessionLimits, surplusOf } from './session-policy.ts'

/** Where a person is logged in, as the phone displayed it before the person confirmed. */
export interface SessionRecord extends Pick<LoginRequest, 'app' | 'ip' | 'browser' | 'os'> {
  sid: string
  /** OAuth client that the tokens were issued to. */
  client: string
  /** ISO 8601 time of the login. */
  since: string
  /** Applications that the person entered with this session, after the one of the login. */
  applications?: Application[]
}

/** An application, as a person's list of sessions names it. */
export interface Application {
  client: string
  name: string
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
   * `stands`. Resolves with undefined if the session has ended already, or if all sessions of the person were
   * ended since `scannedAfter`, which is what `lastEnd` resolved with before the phone's scan. Without it
   * only the session's own end counts.
   */
  begin(
    sub: string,
    record: SessionRecord,
    saveGrant: () => Promise<void>,
    scannedAfter?: string,
  ): Promise<Beginning | undefined>
  /** The live sessions, newest first. */
  list(sub: string): Promise<SessionRecord[]>
  /**
   * Resolves with whether this call ended the session. False if the session is not this person's, is over, or
   * is being ended by another call.
   */
  end(sub: string, sid: string, notice?: EndNotice): Promise<boolean>
  /**
   * Ends all but `keep`, and every login that a phone of this person has scanned and whose page has no tokens
   * yet. Resolves with how many sessions this call ended. Repeat it if it rejects: what it left half-done is
   * completed.
   */
  endAll(sub: string, keep?: string, notice?: EndNotice): Promise<number>
  /** Deletes the refresh tokens of all sessions, which then end when their access tokens do. */
  eraseTokens(sub: string): Promise<void>
  /**
   * Adds an application to a session's entry, once. Resolves with false if the session has ended or is being
   * ended. `entry` is what `entryOf` has read just before.
   */
  addApplication(sub: string, sid: string, application: Application, entry?: Promise<string | null>): Promise<boolean>
  entryOf(sub: string, sid: string): Promise<string | null>
  /** Names the last end of all sessions, for a login that is scanned now; empty if there was none lately. */
  lastEnd(sub: string): Promise<string>
}

const members = {
  client: v.string(),
  app: v.string(),
  ip: v.string(),
  browser: v.string(),
  os: v.string(),
  since: v.pipe(v.string(), v.isoTimestamp()),
} satisfies Record<keyof Omit<SessionRecord, 'sid' | 'applications'>, unknown>
/**
 * `at`: when it was put on the list, in ms of its Redis's clock. It is there if the cluster has limits, and
 * is the last member of the text: `add-session` looks for it there.
 */
const Entry = v.object({
  ...members,
  applications: v.optional(v.array(v.object({ client: v.string(), name: v.string() }))),
  at: v.optional(v.number()),
})
type Entry = v.InferOutput<typeof Entry>
const readEntry = v.safeParser(v.pipe(v.string(), v.parseJson(), Entry))
/** More than anybody enters with one login. Further ones are entered, but not listed. */
const MOST_APPLICATIONS = 50
/** Tries to change an entry that others change at the same time. */
const TRIES = 10
/** What `add-session` takes for "not known". */
const UNKNOWN = '?'

/** The life of a grant. */
export const SESSION_SECONDS = 90 * 24 * 60 * 60
/**
 * An index of grants by person. The order of the steps guarantees that no live session is unlisted:
 *
 * - Begin: write the entry, write the grant, check that the entry is no mark. Only then give tokens away.
 * - End: replace the entry by a mark, delete the grant, replace the mark by one that says "over".
 *
 * There are two cases. If the check precedes the mark, the end finds the grant and deletes it. Otherwise the
 * check finds the mark, and the beginning deletes its own grant. If an end was interrupted after its mark,
 * the next `list` or `end` completes it. A repeated login finds the mark as well, so an ended session does
 * not come back.
 *
 * An end of all marks what is listed, and names itself, in one step (`end-all`). A login that is listed later
 * compares that name with the one that was there when it was scanned, in the step that lists it
 * (`add-session`). Both steps are in the slot of the person, so this holds in a Redis Cluster too.
 */
export const createSessions = (
  { data, keys, writing, reachReplicas }: RedisClients,
  marks: SessionMarks,
  grants: Pick<Grants, 'at' | 'destroy' | 'hasSession' | 'eraseToken'>,
  limits: SessionLimits = DEFAULT_LIMITS,
): Sessions => {
  /** Only a limit that somebody has set is exact, and costs a look at the list at each login. */
  const isLimited = leastOf(limits) < MOST_SESSIONS

  const forget = async (sub: string, sids: readonly string[]) => {
    if (sids.length > 0) await orUnavailable(data.hdel(keys.sessions(sub), ...sids))
  }

  const livingOf = async (sids: readonly string[]): Promise<Set<string>> => {
    const lives = await Promise.all(sids.map((sid) => grants.hasSession(sid)))
    return new Set(sids.filter((_, i) => lives[i]))
  }

  /**
   * Checks the replicas of everything that an end writes, before its first step: a person who ends their own
   * session could not retry.
   */
  const reach = (sub: string, sids: readonly string[]): Promise<void> =>
    reachReplicas(keys.sessions(sub), ...sids.map(grants.at), keys.channelEnds(userChannel(sub)))

  /**
   * Ends marked sessions. Of several calls that end the same session, the one that replaces the mark counts;
   * another may have deleted the grant. An expired session was ended by nobody. If a call marked a session
   * and then failed because replicas were missing, this call has ended it.
   *
   * @param counts  sessions that lived, or were marked before
   * @returns the number of sessions that this call ended
   */
  const complete = async (
    sub: string,
    sids: readonly string[],
    counts: ReadonlySet<string>,
    replicated: () => Promise<void>,
    notice?: EndNotice,
  ): Promise<number> => {
    await Promise.all(sids.map((sid) => grants.destroy(sid, notice)))
    // Wait for the marks. Their replacement need not be replicated: the next reader of a mark completes it.
    await replicated()
    const ended = sids.length > 0 ? await marks.finish(sub, sids) : []
    return ended.filter((sid) => counts.has(sid)).length
  }

  const entryOf = (sub: string, sid: string) => orUnavailable(data.hget(keys.sessions(sub), sid))

  /** Resolves with the number of sessions that this call ended. */
  const finish = async (sub: string, sids: readonly string[], notice?: EndNotice): Promise<number> => {
    if (sids.length === 0) return 0
    await reach(sub, sids)
    const lived = await livingOf(sids)
    const replicated = writing(keys.sessions(sub))
    const before = await marks.begin(sub, sids)
    return complete(sub, sids, new Set([...lived, ...before]), replicated, notice)
  }

  const read = async (sub: string) => {
    const records: (SessionRecord & Pick<Entry, 'at'>)[] = []
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

  const listed = async (sub: string) => {
    const { records, halfEnded, over } = await read(sub)
    await finish(sub, halfEnded)
    const living = await livingOf(records.map(({ sid }) => sid))
    // A session without a grant may still be beginning: `since` is the time at which the person confirmed.
    const youngest = Date.now() - marks.keepMs
    const gone = records.filter(({ sid, since }) => !living.has(sid) && Date.parse(since) < youngest)
    await forget(sub, [...over, ...gone.map(({ sid }) => sid)])
    return records.filter(({ sid }) => living.has(sid))
  }

  /**
   * Ends what is above the limits. Only live sessions count: expired sessions leave their entries behind.
   * Resolves with whether the session itself stays. Of two that begin at once, each sees the other as newer
   * or older in the same way, so they do not end each other.
   */
  const makeRoom = async (sub: string, own: string): Promise<boolean> => {
    const sessions = await listed(sub)
    const rank = ({ sid, since, at = Date.parse(since) }: (typeof sessions)[number]): number =>
      !isLimited && sid === own ? Number.POSITIVE_INFINITY : at
    sessions.sort((a, b) => rank(b) - rank(a) || b.sid.localeCompare(a.sid))
    const surplus = surplusOf(sessions, limits)
    await finish(sub, surplus, { code: 'REPLACED' })
    return !surplus.includes(own)
  }

  return {
    begin: async (sub, { sid, ...entry }, saveGrant, scannedAfter = UNKNOWN) => {
      const at = keys.sessions(sub)
      const text = JSON.stringify(entry satisfies Entry)
      const replicated = writing(at)
      const added = [sid, text, SESSION_SECONDS, scannedAfter, isLimited ? 1 : 0] as const
      const length = await addSession(data, [at, keys.sessionsEnd(sub)], added)
      if (length < 0) return undefined
      const check = async (): Promise<boolean> => {
        const found = await entryOf(sub, sid)
        // An end always leaves a mark. If the entry is missing, Redis has lost it, and the client may repeat
        // the login.
        if (found === null) throw new RedisUnavailable('the list of sessions has lost what was just written')
        if (isMark(found)) {
          await grants.destroy(sid)
          return false
        }
        // One that was listed later may have begun before.
        return (!isLimited && length <= MOST_SESSIONS) || makeRoom(sub, sid)
      }
      if (length === 0) {
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

    list: async (sub) => (await listed(sub)).map(({ at: _, ...record }) => record),

    end: async (sub, sid, notice) => {
      const text = await entryOf(sub, sid)
      return text !== null && overUntil(text) === undefined && (await finish(sub, [sid], notice)) === 1
    },

    endAll: async (sub, keep, notice) => {
      const entries = Object.entries(await orUnavailable(data.hgetall(keys.sessions(sub))))
      const known = entries.filter(([sid, text]) => sid !== keep && overUntil(text) === undefined).map(([sid]) => sid)
      await reach(sub, known)
      const lived = await livingOf(known)
      const replicated = writing(keys.sessions(sub))
      const { before, now } = await marks.beginAll(sub, keep)
      // What was listed after it was read has just begun.
      const counts = [...lived, ...before, ...now.filter((sid) => !known.includes(sid))]
      return complete(sub, [...before, ...now], new Set(counts), replicated, notice)
    },

    eraseTokens: async (sub) => {
      const entries = Object.entries(await orUnavailable(data.hgetall(keys.sessions(sub))))
      const sids = entries.filter(([, text]) => overUntil(text) === undefined).map(([sid]) => sid)
      await Promise.all(sids.map(grants.eraseToken))
    },

    entryOf,

    addApplication: async (sub, sid, application, read) => {
      const at = keys.sessions(sub)
      for (let i = 0; i < TRIES; i++) {
        const text = await (i === 0 && read ? read : entryOf(sub, sid))
        const entry = text === null ? undefined : readEntry(text)
        if (text === null || !entry?.success) return false
        const { at: listedAt, ...known } = entry.output
        const { client, applications = [] } = known
        const isListed = [client, ...applications.map((entered) => entered.client)].includes(application.client)
        if (isListed || applications.length >= MOST_APPLICATIONS) return true
        const changed = { ...known, applications: [...applications, application], at: listedAt } satisfies Entry
        if (await replaceEntry(data, [at], [sid, text, JSON.stringify(changed)])) return true
      }
      throw new RedisUnavailable('the list of sessions kept changing')
    },

    lastEnd: marks.lastEnd,
  }
}
