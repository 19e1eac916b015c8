import { hash } from 'node:crypto'
import { type Message, type Position, parseExact } from '@saoma/protocol'

/**
 * A message as it lies in the log and travels between nodes: its text is made by the script that publishes it
 * and only passed on by the nodes, which need no more of it than its place.
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

  /** The wire's `Message`. */
  get json(): string {
    return `{"channel":"${this.channel}",${this.body},"epoch":"${this.epoch}","offset":${this.offset}}`
  }

  /** A number for what it says, whenever it was published: the time is the last member of the body. */
  get mark(): number {
    const content = this.body.slice(0, this.body.lastIndexOf('"time":'))
    return Number.parseInt(hash('sha1', content).slice(0, 8), 16)
  }

  parse(): Message {
    return parseExact(this.json) as Message
  }
}
