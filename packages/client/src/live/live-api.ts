import {
  type EndNotice,
  fail,
  type Inbox,
  ok,
  type Page,
  type Presence,
  type Publication,
  type Published,
  parseInbox,
  parsePresence,
  parsePublished,
  parseSubscribed,
  type Result,
} from '@saoma/protocol'
import { followStream } from '../core/event-stream.ts'
import { type Answer, failureFor, request } from '../core/request.ts'
import type { Tokens } from '../core/tokens.ts'
import { noticeOf } from './end-notice.ts'

export interface LiveApiOptions {
  origin: string
  fetch: typeof fetch
  tokens: Tokens
}

/**
 * Live channels over plain HTTP. A refused token counts as `retry` as long as another token may be accepted.
 * `cursors` are channels in the form of `cursorOf`, at most 32.
 */
export interface LiveApi {
  publish(publication: Publication, signal: AbortSignal): Promise<Answer<Published>>
  presence(channel: string, signal: AbortSignal): Promise<Answer<Presence>>
  inbox(channel: string, signal: AbortSignal): Promise<Answer<Inbox>>
  markRead(channel: string, offset: number, signal: AbortSignal): Promise<Answer<Inbox>>
  /** The newest messages of a channel, at least one. */
  newest(channel: string, limit: number, signal: AbortSignal): Promise<Answer<Page>>
  /** Messages after the cursors. The server holds the request up to `waitSeconds` until there are any. */
  wait(cursors: string[], waitSeconds: number, signal: AbortSignal): Promise<Answer<Page[]>>
  /**
   * Passes on events until the stream ends. Resolves with the reason; `NO_STREAM` when streams do not get
   * through.
   */
  stream(
    cursors: string[],
    onEvent: (event: string, data: unknown) => void,
    signal: AbortSignal,
  ): Promise<Answer<never>>
}

const REQUEST_TIMEOUT_MS = 10_000

/** A channel and its reader's position, as sent on the wire. */
export const cursorOf = (channel: string, position: { epoch: string; offset: number } | undefined): string =>
  position ? `${channel};${position.epoch};${position.offset}` : channel

export const createLiveApi = ({ origin, fetch, tokens }: LiveApiOptions): LiveApi => {
  const authorized = async <T>(call: (token: string) => Promise<Answer<T>>): Promise<Answer<T>> => {
    const token = await tokens.get()
    if (!token.ok) return token
    const answer = await call(token.value)
    if (answer.ok) tokens.accept()
    else if (answer.react === 'reauth' && tokens.refuse(token.value, answer)) return { ...answer, react: 'retry' }
    return answer
  }

  const send = <T>(
    path: string,
    parse: (body: unknown) => Result<T>,
    signal: AbortSignal,
    { body, waitSeconds = 0 }: { body?: object; waitSeconds?: number } = {},
  ): Promise<Answer<T>> =>
    authorized((token) =>
      request({
        fetch,
        url: `${origin}${path}`,
        init: {
          headers: { authorization: `Bearer ${token}`, accept: 'application/json', ...(body ? jsonType : {}) },
          ...(body ? { method: 'POST', body: JSON.stringify(body) } : {}),
        },
        parse,
        timeoutMs: waitSeconds * 1_000 + REQUEST_TIMEOUT_MS,
        signal,
      }),
    )

  const of = (channel: string, what: string) => `/v1/channels/${encodeURIComponent(channel)}/${what}`
  const query = (cursors: string[]) => new URLSearchParams(cursors.map((cursor) => ['channel', cursor]))

  return {
    publish: (publication, signal) => send('/v1/publish', parsePublished, signal, { body: publication }),
    presence: (channel, signal) => send(of(channel, 'presence'), parsePresence, signal),
    inbox: (channel, signal) => send(of(channel, 'inbox'), parseInbox, signal),
    markRead: (channel, offset, signal) => send(of(channel, 'read'), parseInbox, signal, { body: { offset } }),
    newest: (channel, limit, signal) => send(of(channel, `messages?limit=${limit}`), parseSubscribed, signal),
    wait: (cursors, waitSeconds, signal) => {
      const asked = query(cursors)
      asked.set('wait', `${waitSeconds}`)
      return send(`/v1/messages?${asked}`, parsePages, signal, { waitSeconds })
    },
    stream: (cursors, onEvent, signal) =>
      authorized((token) => {
        let ended: EndNotice | undefined
        return followStream({
          fetch,
          url: `${origin}/v1/messages?${query(cursors)}`,
          headers: { authorization: `Bearer ${token}` },
          onEvent: (event, data) => {
            if (event === 'ended') {
              ended = noticeOf(data)
            } else {
              tokens.accept()
              onEvent(event, data)
            }
          },
          signal,
        }).then((failure) => (ended ? failureFor(ended.code, ended.reason) : failure))
      }),
  }
}

const jsonType = { 'content-type': 'application/json' }

const parsePages = (body: unknown): Result<Page[]> => {
  const { channels } = (body ?? {}) as { channels?: unknown }
  if (!Array.isArray(channels)) return fail('INVALID')
  const pages: Page[] = []
  for (const channel of channels) {
    const page = parseSubscribed(channel)
    if (!page.ok) return page
    pages.push(page.value)
  }
  return ok(pages)
}
