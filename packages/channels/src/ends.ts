import { randomBytes } from 'node:crypto'
import { type EndNotice, userChannel } from '@saoma/protocol'
import { orUnavailable, type RedisClients } from '@saoma/redis'
import { assertChannelName } from './log.ts'
import { scripts } from './scripts.ts'

/** The end of sessions of one person: of one session, of all, or of all but one. */
export interface PersonEnd extends Partial<EndNotice> {
  /** The session that has ended; all of them without it. */
  sid?: string
  /** The one session that goes on when all others end. */
  keep?: string
}

/** What is told of an end, and for how long it is remembered. */
export interface HowToEnd extends Omit<PersonEnd, 'sid'> {
  /** In milliseconds. @default an hour */
  keepMs?: number
}

/** Announces ends of sessions to all nodes, and remembers them. */
export interface Ends {
  /** See `Channels.end`. */
  end(user: string, sid?: string, how?: HowToEnd): Promise<void>
  /** See `Channels.lastEnd`. */
  lastEnd(user: string, sid?: string): Promise<string>
}

/** Longer than any cached permission of a business, and than most outages. */
const ENDS_MS = 3_600_000
/** Most ends of one person that are remembered one by one: ten times a person's sessions. */
const MOST_ENDS = 1_000
/**
 * The remembered end of all sessions, as `end.lua` writes it: its mark, and if it kept one, the mark of the
 * end of all before it (`-` for none) and that session, whose name may hold any character.
 */
const ALL = /^(\S+) (\S+) (.+)$/s

/** The mark of the end of all that a session is held to; '' for none. */
const markFor = (sid: string, all: string): string => {
  const [, mark = all, before = '', spared] = ALL.exec(all) ?? []
  if (sid === '' || sid !== spared) return mark
  return before === '-' ? '' : before
}

/** Needs a Redis and no node: a command uses it too. */
export const createEnds = ({ data, keys, writing }: Pick<RedisClients, 'data' | 'keys' | 'writing'>): Ends => ({
  end: async (user, sid = '', how = {}) => {
    const channel = assertChannelName(userChannel(user))
    const ends = keys.channelEnds(channel)
    const { keep = '', code = 'REVOKED', reason, keepMs = ENDS_MS } = how
    const saysMore = keep !== '' || code !== 'REVOKED' || reason !== undefined
    const told: PersonEnd = {
      ...(sid ? { sid } : {}),
      ...(keep ? { keep } : {}),
      code,
      ...(reason === undefined ? {} : { reason }),
    }
    const replicated = writing(ends)
    await scripts.end(
      data,
      [ends, keys.channelPubsub(channel)],
      [sid, randomBytes(9).toString('base64url'), keepMs, MOST_ENDS, keep, saysMore ? JSON.stringify(told) : ''],
    )
    await replicated()
  },

  lastEnd: async (user, sid = '') => {
    const ends = keys.channelEnds(assertChannelName(userChannel(user)))
    const [all, own] = await orUnavailable(data.hmget(ends, '', sid))
    return [markFor(sid, all ?? ''), sid === '' ? '' : own].join(' ').trim()
  },
})
