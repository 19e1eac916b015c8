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
import { orUnavailable, type RedisClients } from '@saoma/redis'
import { LogEntry } from './log-entry.ts'
import type { Retention } from './retention.ts'
import { scripts } from './scripts.ts'

/** Longer than any yes of a business is believed, and than most outages. */
const ENDS_MS = 3_600_000
/** Ends of one person's sessions that are remembered one by one: ten times what a person has. */
const MOST_ENDS = 1_000
const RECEIPT_MS = 600_000
/** A month more than anybody needs, and far below what Redis takes for a time. */
const LONGEST_MS = 10 * 365 * 86_400_000
const MOST_MESSAGES = 1_000_000
/** Earlier epochs of a log that are remembered: failovers that lost writes while a reader was away. */
const MOST_PAST = 8

/** A page as it lies in the log. */
export interface LogPage extends Position {
  how: 'recovered' | 'fresh' | 'epoch' | 'trimmed'
  more: boolean
  messages: LogEntry[]
  /** Of the message at `offset`, where the page has none and the log has it. */
  mark?: number
}

/** As the wire has it. */
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
 * The name itself, when it is one: braces would move its keys to another slot, quotes would leave its JSON.
 */
export const assertChannelName = (channel: string): string => {
  if (!channelPattern.test(channel)) throw new TypeError(`not the name of a channel: ${channel}`)
  return channel
}

const contentOf = ({ event, data, from }: Publication & { from?: string }): string => {
  const json = JSON.stringify(data)
  if (json === undefined) throw new TypeError('the data of a message must be JSON')
  const sender = from === undefined ? '' : `"from":${JSON.stringify(from)},`
  return `"event":${JSON.stringify(event)},"data":${json},${sender}`
}

/** Of a key and of whose it is: else whoever guesses another's key could silence what it is for. */
const receiptOf = (from: string | undefined, idempotencyKey: string): string =>
  hash('sha256', JSON.stringify([from ?? null, idempotencyKey]))

/** Who says so, and what that person may. */
export interface Publishing {
  /** The publisher's id, set by the caller and not by the client. */
  from?: string
  /** Asked when the message would be the first of a channel that never was; without it that may always be. */
  mayBegin?: () => Promise<Result<true>>
}

export interface ReadRequest {
  since?: Position | null
  /** Newest messages to begin with when there is no `since`. */
  history?: number
  /** Most messages. */
  limit?: number
  /** Most bytes of messages, but at least one message. */
  mostBytes?: number
}

/** The logs in Redis; nothing in here knows who follows. */
export const createLog = (
  { data, keys, writing, reachReplicas }: RedisClients,
  retention: (channel: string) => Retention,
) => {
  // Each call brings a name, for the case that the script has to begin an epoch: chance once, then a count,
  // is cheap and names no two alike.
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
      throw new RangeError(`the messages kept of ${channel} must be a whole number between 1 and ${MOST_MESSAGES}`)
    if (!(Number.isInteger(ms) && ms > 0 && ms <= LONGEST_MS))
      throw new RangeError(`the milliseconds that ${channel} keeps a message must be between 1 and ${LONGEST_MS}`)
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
      if (published === 'unused') throw new Error('a channel did not begin with its first message')
      if (!published.ok) return published
      await replicated()
      const { epoch, offset, connections, repeated } = published.value
      return ok({ epoch, offset, connections, ...(repeated ? { repeated } : {}) })
    },

    read: (channel: string, request: ReadRequest = {}): Promise<LogPage> => page(channel, request, 0),

    /** As `read`, but after a loss it goes on with what is left behind the loss. */
    resume: (channel: string, since: Position): Promise<LogPage> => page(channel, { since }, 1),

    /**
     * Where the channel is, how many people of a node Redis counts in it, and whether its log contradicts
     * these witnesses.
     */
    check: async (channel: string, node: string, witnesses: readonly number[]) =>
      scripts.compare(
        data,
        [...logOf(channel), keys.channelPeople(channel), keys.channelPeopleOf(channel, node)],
        [drawEpoch(), ...witnesses],
      ),

    /**
     * Gives the channel another epoch if its log is not the one that was handed out up to this position.
     *
     * @param witnesses  of what was handed out
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
      // Readers that were told of it come back with it.
      if (epoch === drawn) await replicated()
    },

    trim: async (channel: string, offset: number): Promise<number> => {
      const log = keys.channelLog(assertChannelName(channel))
      // How many were forgotten can be told once only.
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

    end: async (channel: string, sid = ''): Promise<void> => {
      const ends = keys.channelEnds(assertChannelName(channel))
      const replicated = writing(ends)
      await scripts.end(data, [ends, keys.channelPubsub(channel)], [sid, drawEpoch(), ENDS_MS, MOST_ENDS])
      await replicated()
    },

    lastEnd: async (channel: string, sid = ''): Promise<string> =>
      (await orUnavailable(data.hmget(keys.channelEnds(assertChannelName(channel)), ...new Set(['', sid]))))
        .join(' ')
        .trim(),
  }
}

export type Log = ReturnType<typeof createLog>
