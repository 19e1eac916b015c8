import { hash } from 'node:crypto'
import { type Message, type Position, parseExact } from '@saoma/protocol'

/**
 * A message as it is stored in the log and sent between nodes. The publishing script creates its text; nodes
 * only pass it on and need to know only its position.
 */
export class LogEntry implements Position {
  readonly channel: string
  readonly epoch: string
  readonly offset: number
  /** `"event":…,"data":…,["from":…,]"time":…`, JSON members without braces. */
  readonly body: string

  constructor(channel: string, epoch: string, offset: number, body: string) {
    this.channel = channel
    this.epoch = epoch
    this.offset = offset
    this.body = body
  }

  /** The message as JSON, as on the wire. */
  get json(): string {
    return `{"channel":"${this.channel}",${this.body},"epoch":"${this.epoch}","offset":${this.offset}}`
  }

  /** A hash of the message without its time, which is the last member of the body. */
  get mark(): number {
    const content = this.body.slice(0, this.body.lastIndexOf('"time":'))
    return Number.parseInt(hash('sha1', content).slice(0, 8), 16)
  }

  parse(): Message {
    return parseExact(this.json) as Message
  }
}
