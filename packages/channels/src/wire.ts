import type { Inbox, PresenceChange } from '@saoma/protocol'
import type { PersonEnd } from './ends.ts'
import type { Signal } from './follower.ts'
import { LogEntry } from './log-entry.ts'

/**
 * Messages between nodes on a channel's pub/sub channel: one character and its text. `m<offset> <epoch>
 * <body>` is a kept message, `v<body>` a volatile one, `p<join|leave> <count> <user>` a presence change,
 * `i<read> <unread>` an inbox, `e<sid>` the end of a session, or of all sessions without `sid`. `E<json>` is
 * an end with more to say (`PersonEnd`). Nodes that do not know it go by the `e` behind it.
 *
 * Nodes do not parse the JSON: they only pass it on.
 */
export const kinds = {
  message: 'm'.charCodeAt(0),
  volatile: 'v'.charCodeAt(0),
  presence: 'p'.charCodeAt(0),
  inbox: 'i'.charCodeAt(0),
  ended: 'e'.charCodeAt(0),
  explained: 'E'.charCodeAt(0),
} as const

/** `epoch` is the expected one: the entry then shares this string instead of holding a copy. */
export const decodeMessage = (channel: string, text: string, epoch: string): LogEntry | undefined => {
  const gap = text.indexOf(' ', 1)
  const end = text.indexOf(' ', gap + 1)
  const offset = Number(text.slice(1, gap))
  if (gap < 2 || end < 0 || !Number.isSafeInteger(offset)) return undefined
  const same = end - gap - 1 === epoch.length && text.startsWith(epoch, gap + 1)
  return new LogEntry(channel, same ? epoch : text.slice(gap + 1, end), offset, text.slice(end + 1))
}

const decodePresence = (channel: string, text: string): PresenceChange | undefined => {
  const [, event, count, user] = /^p(join|leave) (\d+) (.+)$/s.exec(text) ?? []
  if ((event !== 'join' && event !== 'leave') || user === undefined) return undefined
  return { channel, event, user, count: Number(count) }
}

const decodeInbox = (text: string): Inbox | undefined => {
  const [, read, unread] = /^i(\d+) (\d+)$/.exec(text) ?? []
  return read === undefined ? undefined : { read: Number(read), unread: Number(unread) }
}

/** Decodes what is passed on without being kept. */
export const decodeSignal = (channel: string, payload: Buffer): Signal | undefined => {
  const [kind, text] = [payload[0], payload.toString()]
  if (kind === kinds.volatile) return { kind: 'volatile', json: `{"channel":"${channel}",${text.slice(1)}}` }
  if (kind === kinds.presence) {
    const change = decodePresence(channel, text)
    return change && { kind: 'presence', change }
  }
  if (kind === kinds.inbox) {
    const inbox = decodeInbox(text)
    return inbox && { kind: 'inbox', channel, inbox }
  }
  return undefined
}

/** Undefined if the text is no end. */
export const decodeEnd = (text: string): PersonEnd | undefined => {
  if (text.charCodeAt(0) !== kinds.explained) return text.length > 1 ? { sid: text.slice(1) } : {}
  try {
    return JSON.parse(text.slice(1)) as PersonEnd
  } catch {
    return undefined
  }
}
