import { setTimeout as delay } from 'node:timers/promises'
import { HEARTBEAT_MS } from '../transport/http/event-stream.ts'
import { ANSWER_MS, isOfNode } from './ask.ts'
import type { Finding } from './finding.ts'
import { openText, type TextStream } from './text-stream.ts'
import type { Ticket } from './ticket.ts'

const code = 'event-stream'
/** As browsers do. */
const PACKED = 'gzip, deflate, br'
/** A first event that comes so much later than an ordinary answer was held back somewhere. */
const slowMs = ({ answerMs }: Ticket): number => 2_000 + 4 * answerMs

const NO_BUFFER =
  'Switch buffering off in every proxy on the way (nginx: proxy_buffering off, and no proxy_ignore_headers X-Accel-Buffering; a CDN: no caching for /v1/). docs/front.md has examples.'
const NO_PACKING =
  'Exempt text/event-stream from compression in the proxy or the CDN, or let it pass on what it has after each event.'

const isFirst = (line: string): boolean => line === 'event: ticket'
/** The comment of a node that nothing has happened. */
const isHeartbeat = (line: string): boolean => line === ':'
/** The ticket has expired, or somebody has scanned it after all: an event as good as any. */
const isOver = (line: string): boolean => /"status":"(expired|rejected|confirmed|redeemed)"/.test(line)
const TOO_LONG = 'more comes than a node ever sends'

interface Opening {
  stream?: TextStream
  /** Why there is no first event. */
  lack?: 'held' | { why: string }
}

/** Opens the stream and waits for its first event, which a node sends at once. */
const begin = async (ticket: Ticket, encoding: string, signal: AbortSignal): Promise<Opening> => {
  const deadline = performance.now() + ANSWER_MS
  const headers = { ...ticket.headers, Accept: 'text/event-stream', 'Accept-Encoding': encoding }
  const stream = await openText(ticket.url, { signal, headers, deadline })
  if (!stream.ok) return { lack: stream.code === 'TIMEOUT' ? 'held' : { why: stream.why } }
  const { status } = stream
  if (status !== 200)
    return { stream, lack: { why: `${isOfNode(stream.headers) ? 'a node' : 'the proxy'} answers with ${status}` } }
  const type = stream.headers['content-type'] ?? 'none'
  if (!type.startsWith('text/event-stream')) return { stream, lack: { why: `its type is ${type}` } }
  const came = await stream.until(isFirst, deadline)
  if (came === 'there') return { stream }
  if (came === 'late') return { stream, lack: 'held' }
  return { stream, lack: { why: came === 'long' ? TOO_LONG : 'it ends before its first event' } }
}

const held = async (ticket: Ticket, signal: AbortSignal): Promise<Finding> => {
  const unpacked = await begin(ticket, 'identity', signal)
  unpacked.stream?.close()
  return unpacked.lack
    ? {
        code,
        level: 'error',
        says: `A proxy buffers event streams: the first event, which a node sends at once, did not come within ${ANSWER_MS / 1000} s.`,
        todo: NO_BUFFER,
      }
    : {
        code,
        level: 'error',
        says: 'A proxy compresses event streams and holds the events back meanwhile: they come at once only if no compression is offered.',
        todo: NO_PACKING,
      }
}

const unlike = (why: string): Finding => ({
  code,
  level: 'error',
  says: `Event streams do not pass: ${why}.`,
  todo: 'Let the proxy pass /v1/ on unchanged, and look at its log.',
})

/**
 * Whether events come through the proxy when they happen. The first event of a ticket is sent at once. A node
 * sends the next bytes after 15 s, a comment, because nothing happens to a ticket without a phone.
 */
export const probeEventStream = async (ticket: Ticket, signal: AbortSignal): Promise<Finding[]> => {
  const started = performance.now()
  const { stream, lack } = await begin(ticket, PACKED, signal)
  const firstMs = performance.now() - started
  try {
    if (signal.aborted) return []
    if (lack === 'held') {
      const finding = await held(ticket, signal)
      return signal.aborted ? [] : [finding]
    }
    if (lack || !stream) return [unlike(`${lack?.why}`)]
    const came = await stream.until(
      (line) => isHeartbeat(line) || isOver(line),
      performance.now() + HEARTBEAT_MS + ANSWER_MS,
    )
    if (signal.aborted) return []
    // The last event and the end of the stream come together.
    await delay(0)
    if (came === 'long') return [unlike(TOO_LONG)]
    if (came === 'ended' && (await stream.until(isOver, performance.now())) !== 'there')
      return [
        {
          code,
          level: 'error',
          says: `Something cuts event streams after ${Math.round((performance.now() - started) / 1000)} s, though a node sends something every ${HEARTBEAT_MS / 1000} s.`,
          todo: 'Raise the read timeout and the idle timeout of the proxy to 75 s.',
        },
      ]
    if (came === 'late')
      return [
        {
          code,
          level: 'error',
          says: `A proxy holds later events back: the first came at once, but nothing came in the ${(HEARTBEAT_MS + ANSWER_MS) / 1000} s after it.`,
          todo: stream.encoding ? NO_PACKING : NO_BUFFER,
        },
      ]
    if (firstMs > slowMs(ticket))
      return [
        {
          code,
          level: 'warning',
          says: `The first event of a stream came after ${(firstMs / 1000).toFixed(1)} s, though a node sends it at once.`,
          todo: NO_BUFFER,
        },
      ]
    return [
      {
        code,
        level: 'ok',
        says: `Event streams pass through the proxy without a buffer: the first event came after ${Math.round(firstMs)} ms.`,
      },
    ]
  } finally {
    stream?.close()
  }
}
