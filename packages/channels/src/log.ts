import { hash, randomBytes } from 'node:crypto'
import {
  channelPattern,
  type Inbox,
  MOST_HISTORY,
  ok,
  PAGE_BYTES,
  PAGE_MESSAGES,
  type Page,
  type Position,
  type Publication,
  type Published,
  type Result,
} from '@saoma/protocol'
import { memoryOf, orUnavailable, type RedisClients } from '@saoma/redis'
import { LogEntry } from './log-entry.ts'
import type { Retention } from './retention.ts'
import { scripts } from './scripts.ts'

const RECEIPT_MS = 600_000
/** Longer than anybody needs, and far below Redis's limit for a time. */
const LONGEST_MS = 10 * 365 * 86_400_000
const MOST_MESSAGES = 1_000_000
/** Earlier epochs of a log that are remembered: failovers that lost writes while a reader was away. */
const MOST_PAST = 8

/** One page of the log. */
export interface LogPage extends Position {
  how: 'recovered' | 'fresh' | 'epoch' | 'trimmed'
  more: boolean
  messages: LogEntry[]
  /** Mark of the message at `offset`, if the page is empty and the log has that message. */
  mark?: number
}

/** The page in its wire form. */
export const pageOf = (channel: string, { epoch, offset, how, more, messages }: LogPage): Page => ({
  channel,
  recovered: how === 'recovered',
  ...(how === 'epoch' || how === 'trimmed' ? { reason: how } : {}),
  epoch,
  offset,
  messages: messages.map((kept) => kept.parse()),
  ...(more ? { more: true } : {}),
})

/**
 * Returns a valid name. Braces in a name would move its keys to another slot, and quotes would break its
 * JSON.
 */
export const assertChannelName = (channel: string): string => {
  if (!channelPattern.test(channel)) throw new TypeError(`this is not a valid channel name: ${channel}`)
  return channel
}

const contentOf = ({ event, data, from, json = JSON.stringify(data) }: Publication & Publishing): string => {
  if (json === undefined) throw new TypeError('the data of a message must be JSON')
  const sender = from === undefined ? '' : `"from":${JSON.stringify(from)},`
  return `"event":${JSON.stringify(event)},"data":${json},${sender}`
}

/**
 * Hash of the key and its publisher. Without the publisher, anyone who guesses another's key could suppress
 * that publication.
 */
const receiptOf = (from: string | undefined, idempotencyKey: string): string =>
  hash('sha256', JSON.stringify([from ?? null, idempotencyKey]))

/** The publisher and what it may do. */
export interface Publishing {
  /** The publisher's id, set by the caller and never by the client. */
  from?: string
  /** `data` as JSON, if the caller has written it already. */
  json?: string
  /** Called before the first message of a new channel. Without it every publisher may begin a channel. */
  mayBegin?: () => Promise<Result<true>>
}

export interface ReadRequest {
  since?: Position | null
  /** Number of newest messages to begin with when there is no `since`. */
  history?: number
  /** Most messages of the page. */
  limit?: number
  /** Most bytes of messages of the page, but at least one message. */
  mostBytes?: number
}

/** What there is of a channel, for an operator. */
export interface ChannelSummary {
  channel: string
  /** Undefined if the channel never had a message, or has been forgotten. */
  epoch?: string
  /** Offset of the newest message; 0 if there was none. */
  offset: number
  /** Offset of the oldest message that is kept. Undefined if none is. */
  oldest?: number
  /** How many messages are kept. */
  messages: number
  /** Connections of people who follow it, on all nodes, and how many people these are. */
  connections: number
  people: number
}

/** The logs in Redis. This module knows nothing of followers. */
export const createLog = (
  { data, keys, writing, reachReplicas }: RedisClients,
  retention: (channel: string) => Retention,
) => {
  // Each call brings an epoch name, in case the script has to begin an epoch. One random part plus a counter
  // is cheap and unique.
  const source = randomBytes(9).toString('base64url')
  let drawn = 0
  const drawEpoch = (): string => source + (drawn++).toString(36)

  const logOf = (channel: string): [string, string] => [
    keys.channelMeta(assertChannelName(channel)),
    keys.channelLog(channel),
  ]
  const kept = (channel: string): Retention => {
    const { messages, ms } = retention(channel)
    if (!(Number.isInteger(messages) && messages > 0 && messages <= MOST_MESSAGES))
      throw new RangeError(
        `the number of messages kept in ${channel} must be a whole number between 1 and ${MOST_MESSAGES}`,
      )
    if (!(Number.isInteger(ms) && ms > 0 && ms <= LONGEST_MS))
      throw new RangeError(`the retention of ${channel} must be between 1 and ${LONGEST_MS} ms`)
    return { messages, ms }
  }

  const page = async (channel: string, request: ReadRequest, goOn: 0 | 1): Promise<LogPage> => {
    const { since, history = 0, limit = PAGE_MESSAGES, mostBytes = PAGE_BYTES } = request
    const { epoch, offset, how, more, entries, mark } = await scripts.read(data, logOf(channel), [
      drawEpoch(),
      kept(channel).ms,
      since?.epoch ?? '',
      since?.offset ?? 0,
      Math.min(history, MOST_HISTORY),
      Math.max(1, Math.min(limit, PAGE_MESSAGES)),
      Math.max(1, Math.min(mostBytes, PAGE_BYTES)),
      goOn,
    ])
    const messages = entries.map((entry) => new LogEntry(channel, epoch, entry.offset, entry.body))
    return { epoch, offset, how, more, messages, ...(mark > 0 ? { mark } : {}) }
  }

  return {
    publish: async (publication: Publication & Publishing): Promise<Result<Published>> => {
      const { channel, idempotencyKey, volatile, from, mayBegin } = publication
      const [meta, log] = logOf(channel)
      const [people, live] = [keys.channelPeople(channel), keys.channelPubsub(channel)]
      const content = contentOf(publication)
      if (volatile) return ok({ connections: await scripts.publishVolatile(data, [people, live], [content]) })
      const { messages, ms } = kept(channel)
      const receipt = keys.channelReceipt(channel, idempotencyKey === undefined ? '' : receiptOf(from, idempotencyKey))
      const receiptMs = idempotencyKey === undefined ? 0 : RECEIPT_MS
      const replicated = writing(log)
      const attempt = (begins: 0 | 1) =>
        scripts.publish(
          data,
          [meta, log, people, live, receipt],
          [content, drawEpoch(), messages, ms, receiptMs, begins],
        )
      let published = await attempt(mayBegin ? 0 : 1)
      if (published === 'unused') {
        const allowed = mayBegin ? await mayBegin() : ok(true as const)
        if (!allowed.ok) return allowed
        published = await attempt(1)
      }
      if (published === 'unused') throw new Error('the first message of a channel was refused')
      if (!published.ok) return published
      await replicated()
      const { epoch, offset, connections, repeated } = published.value
      return ok({ epoch, offset, connections, ...(repeated ? { repeated } : {}) })
    },

    read: (channel: string, request: ReadRequest = {}): Promise<LogPage> => page(channel, request, 0),

    /** Like `read`, but after a loss it continues with the messages that are left, instead of the history. */
    resume: (channel: string, since: Position, limit?: number): Promise<LogPage> =>
      page(channel, { since, ...(limit === undefined ? {} : { limit }) }, 1),

    summary: async (channel: string): Promise<ChannelSummary> => {
      const found = await scripts.summary(data, [...logOf(channel), keys.channelPeople(channel)], [kept(channel).ms])
      const { epoch, oldest, messages, ...counts } = found
      return {
        channel,
        ...(epoch === '' ? {} : { epoch }),
        ...(messages > 0 ? { oldest } : {}),
        ...{ messages, ...counts },
      }
    },

    /** Bytes of the log in Redis. Undefined if Redis does not say. */
    memory: (channel: string): Promise<number | undefined> =>
      memoryOf({ data }, keys.channelLog(assertChannelName(channel))),

    /**
     * The channel's state: its newest offset, how many of this node's people Redis counts in it, and whether
     * its log agrees with these witnesses.
     */
    check: async (channel: string, node: string, witnesses: readonly number[]) =>
      scripts.compare(
        data,
        [...logOf(channel), keys.channelPeople(channel), keys.channelPeopleOf(channel, node)],
        [drawEpoch(), ...witnesses],
      ),

    /**
     * Gives the channel a new epoch if its log differs from the messages that were handed out up to this
     * position.
     *
     * @param witnesses  marks of messages that were handed out
     * @param unsure  the lowest offset at which another message may have been handed out; 0 when there is
     *   none
     */
    rotate: async (
      channel: string,
      position: Position,
      witnesses: readonly number[],
      unsure: number,
    ): Promise<void> => {
      const [meta, log] = logOf(channel)
      const replicated = writing(meta)
      const drawn = drawEpoch()
      const { epoch } = await scripts.rotate(
        data,
        [meta, log],
        [drawn, position.epoch, position.offset, unsure, MOST_PAST, ...witnesses],
      )
      // Readers that get this epoch will return with it, so it must be replicated.
      if (epoch === drawn) await replicated()
    },

    trim: async (channel: string, offset: number): Promise<number> => {
      const log = keys.channelLog(assertChannelName(channel))
      // The number of deleted messages can be reported only once, so check the replicas first.
      await reachReplicas(log)
      const replicated = writing(log)
      const trimmed = await orUnavailable(data.xtrim(log, 'MINID', '=', `${offset + 1}-0`))
      await replicated()
      return trimmed
    },

    inbox: async (channel: string): Promise<Inbox> =>
      scripts.inbox(data, logOf(channel), [drawEpoch(), kept(channel).ms]),

    markRead: async (channel: string, offset: number): Promise<Inbox> => {
      const [meta, log] = logOf(channel)
      const replicated = writing(meta)
      const marked = await scripts.markRead(
        data,
        [meta, log, keys.channelPubsub(channel)],
        [drawEpoch(), kept(channel).ms, offset],
      )
      await replicated()
      return marked
    },
  }
}

export type Log = ReturnType<typeof createLog>
