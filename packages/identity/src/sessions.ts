import { type LoginRequest, userChannel } from '@saoma/protocol'
import { orUnavailable, type RedisClients, RedisUnavailable } from '@saoma/redis'
import * as v from 'valibot'
import type { Grants } from './grants.ts'
import { addSession } from './scripts.ts'
import { isMark, overUntil, type SessionMarks } from './session-marks.ts'

/** Where a person is logged in, as the phone was shown it before it confirmed. */
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

/** The sessions of each person. Every call rejects with RedisUnavailable when Redis cannot be asked. */
export interface Sessions {
  /**
   * Begins a session with what `saveGrant` stores. False when somebody has ended all of the person's sessions
   * in the meantime: there is no grant then.
   */
  begin(sub: string, record: SessionRecord, saveGrant: () => Promise<void>): Promise<boolean>
  /** The living ones, the newest first. */
  list(sub: string): Promise<SessionRecord[]>
  /**
   * Whether this call ended it. False when it is none of this person's, is over, or is being ended by
   * somebody else.
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

/** As long as a grant lives. */
export const SESSION_SECONDS = 90 * 24 * 60 * 60
/** The oldest is ended when another begins. */
export const MOST_SESSIONS = 100
/**
 * An index of grants by person, in an order by which no session is ever live and not listed:
 *
 * - A session begins with its entry, then comes the grant, then a look whether the entry is still as it was
 *   written. Tokens are made only after that.
 * - A session ends with a mark in its entry, then goes the grant, then another mark says that it is over.
 *
 * Either the look comes before the mark, and the end finds the grant; or it finds the mark, and the beginning
 * takes its grant back. An end that was cut off after its mark is finished by the next list or end. A login
 * that is asked for again finds the mark as well: what somebody has ended does not come back.
 */
export const createSessions = (
  { data, keys, writing, reachReplicas }: RedisClients,
  marks: SessionMarks,
  grants: Pick<Grants, 'at' | 'destroy' | 'hasSession'>,
): Sessions => {
  const forget = async (sub: string, sids: readonly string[]) => {
    if (sids.length > 0) await orUnavailable(data.hdel(keys.sessions(sub), ...sids))
  }

  /** Resolves with how many of them this call ended. */
  const finish = async (sub: string, sids: readonly string[]): Promise<number> => {
    if (sids.length === 0) return 0
    const at = keys.sessions(sub)
    // All that is written below, before anything is done: whoever ends their own session could not repeat it.
    await reachReplicas(at, ...sids.map(grants.at), keys.channelEnds(userChannel(sub)))
    const lived = await Promise.all(sids.map((sid) => grants.hasSession(sid)))
    const replicated = writing(at)
    const wereMarked = new Set(await marks.begin(sub, sids))
    await Promise.all(sids.map((sid) => grants.destroy(sid)))
    // The marks. That they are replaced need not last: whoever finds one finishes it.
    await replicated()
    const ended = new Set(await marks.finish(sub, sids))
    // Of several that end the same one the call has done it that replaced the mark: another may have taken
    // the grant. One that ran out was ended by nobody. One that a call had marked and could not finish,
    // because replicas were missing, is ended by this one.
    return sids.filter((sid, i) => ended.has(sid) && (lived[i] || wereMarked.has(sid))).length
  }

  const read = async (sub: string) => {
    const records: SessionRecord[] = []
    // With the marks, whatever nobody can read: what cannot be shown to its owner must not live.
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
    // A session whose grant is not there may still be beginning: `since` is when the person agreed.
    const youngest = Date.now() - marks.keepMs
    const gone = records.filter(({ since }, i) => !lives[i] && Date.parse(since) < youngest)
    await forget(sub, [...over, ...gone.map(({ sid }) => sid)])
    return records.filter((_, i) => lives[i])
  }

  /** Only the living count: sessions that ran out leave their entries behind. */
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
      if (listed > 0) {
        await saveGrant()
        await replicated()
      }
      const found = await orUnavailable(data.hget(at, sid))
      // Whoever ends a session leaves a mark. Where nothing is, Redis has lost the entry: all can be asked
      // for again.
      if (found === null) throw new RedisUnavailable('the list of sessions has lost what was just written')
      if (isMark(found)) {
        await grants.destroy(sid)
        return false
      }
      if (listed > MOST_SESSIONS) await makeRoom(sub, sid)
      return true
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
