import type { Result } from '@saoma/protocol'
import type { LiveConnection } from '../live-connection.ts'
import type { LiveConnections } from '../live-connections.ts'
import type { ConnmixConnection } from './connmix-connection.ts'
import type { Op } from './requests.ts'

/** The services of the door that all of its connections share. */
export interface Keeper {
  /** Bytes that may be buffered for a client that keeps sending requests. */
  readonly maxBufferBytes: number
  isDraining(): boolean
  /** The clock for the idle time of clients, in milliseconds; its zero is arbitrary. */
  now(): number
  /** Counts a frame that is not a request to the channels. Calls `flood` if there were far too many. */
  countStray(connection: string, flood: () => void): void
  readonly connections: LiveConnections
  /** Performs a request and answers it once. It does not answer if the client is gone. */
  ask(
    connection: LiveConnection,
    event: Exclude<Op, 'auth'>,
    body: object,
    answer: (result: Result<object>) => void,
  ): Promise<void>
  closed(connection: ConnmixConnection, reason: string): void
}
