import { type LoginRequest, userChannel } from '@saoma/protocol'
import { type RedisClients, reply } from '@saoma/redis'
import * as v from 'valibot'
import type { Grants } from './grants.ts'
import { ending, enlist } from './scripts.ts'

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
   * Begins a session with what `saveGrant` stores. False when somebody has ended all of the person's sessions in the meantime: there is no
   * grant then.
   */
  begin(sub: string, record: SessionRecord, saveGrant: () => Promise<void>): Promise<boolean>
  /** The living ones, the newest first. */
  list(sub: string): Promise<SessionRecord[]>
  /** Whether this call ended it. False when it is none of this person's, is over, or is being ended by somebody else. */
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
/** A session whose grant is not there may still be beginning. Far longer than that takes, whatever the clocks of two nodes say. */
const BEGINNING_MS = 60_000
/** In place of an entry: its session is being ended, and whoever reads this sees to it that it is. */
const ENDING = ''

/**
 * An index of grants by person, in an order by which no session is ever live and not listed:
 *
 * - A session begins with its entry, then comes the grant, then a look whether the entry is still as it was written. Tokens are made
 *   only after that.
 * - A session ends with a mark in its entry, then goes the grant, then the entry.
 *
 * Either the look comes before the mark, and the end finds the grant; or it finds the mark (or nothing), and the beginning takes its
 * grant back. An end that was cut off after its mark is finished by the next list or end.
 */
export const createSessions = (
  { data, keys, replicated, reachReplicas }: RedisClients,
  grants: Pick<Grants, 'at' | 'destroy' | 'isLive'>,
): Sessions => {
  const forget = async (sub: string, sids: readonly string[]) => {
    if (sids.length > 0) await reply(data.hdel(keys.sessions(sub), ...sids))
  }

  /** Resolves with how many of them this call ended. */
  const finish = async (sub: string, sids: readonly string[]): Promise<number> => {
    if (sids.length === 0) return 0
    const at = keys.sessions(sub)
    // All that is written below, before anything is done: whoever ends their own session could not repeat it.
    await reachReplicas(at, ...sids.map(grants.at), keys.channelEnds(userChannel(sub)))
    const lived = await Promise.all(sids.map((sid) => grants.isLive(sid)))
    const wereMarked = new Set(await ending(data, [at], [ENDING, ...sids]))
    await Promise.all(sids.map((sid) => grants.destroy(sid)))
    // The marks. That they are taken away again need not last: whoever finds one finishes it.
    await replicated(at)
    const removed = await Promise.all(sids.map((sid) => reply(data.hdel(at, sid))))
    // Of several that end the same one the call has done it that took the entry away: another may have taken the grant. One that ran out
    // was ended by nobody. One that a call had marked and could not finish, because replicas were missing, is ended by this one.
    return sids.filter((sid, i) => removed[i] === 1 && (lived[i] || wereMarked.has(sid))).length
  }

  const read = async (sub: string): Promise<{ records: SessionRecord[]; halfEnded: string[] }> => {
    const records: SessionRecord[] = []
    // With the marks, whatever nobody can read: what cannot be shown to its owner must not live.
    const halfEnded: string[] = []
    for (const [sid, text] of Object.entries(await reply(data.hgetall(keys.sessions(sub))))) {
      const entry = readEntry(text)
      if (entry.success) records.push({ sid, ...entry.output })
      else halfEnded.push(sid)
    }
    return { records: records.sort((a, b) => b.since.localeCompare(a.since)), halfEnded }
  }

  const list = async (sub: string): Promise<SessionRecord[]> => {
    const { records, halfEnded } = await read(sub)
    await finish(sub, halfEnded)
    const lives = await Promise.all(records.map(({ sid }) => grants.isLive(sid)))
    const youngest = Date.now() - BEGINNING_MS
    const gone = records.filter(({ since }, i) => !lives[i] && Date.parse(since) < youngest)
    await forget(
      sub,
      gone.map(({ sid }) => sid),
    )
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
      const listed = await enlist(data, [at], [sid, text, SESSION_SECONDS])
      await saveGrant()
      await replicated(at)
      if ((await reply(data.hget(at, sid))) !== text) {
        await finish(sub, [sid])
        return false
      }
      if (listed > MOST_SESSIONS) await makeRoom(sub, sid)
      return true
    },

    list,

    end: async (sub, sid) =>
      (await reply(data.hexists(keys.sessions(sub), sid))) === 1 && (await finish(sub, [sid])) === 1,

    endAll: async (sub, keep) => {
      const sids = await reply(data.hkeys(keys.sessions(sub)))
      return finish(
        sub,
        sids.filter((sid) => sid !== keep),
      )
    },
  }
}
