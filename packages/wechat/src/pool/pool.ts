import type { Result } from '@saoma/protocol'

/** A picture as the pool keeps it. */
export interface PooledImage {
  /** Its key in the store. */
  key: string
  type: 'image/jpeg' | 'image/png'
  /** SHA-256 in base64. */
  sha256: string
}

export interface Lease {
  scene: string
  /** How many tickets the code has been leased to, this one included. */
  epoch: number
  /** Two digits, another for each lease of the code; from the second lease on. */
  check?: string
  image: PooledImage
}

/** How many codes there are. */
export interface Stock {
  /** Nobody has seen them yet. */
  fresh: number
  /** Leased before, and free to be leased again. */
  rested: number
  /** Leased, or in quarantine. */
  busy: number
}

export interface PooledCode {
  scene: string
  status: 'fresh' | 'rested' | 'leased' | 'quarantined'
  epoch: number
  /** Milliseconds since 1970. */
  madeAt: number
  image: PooledImage
}

/** Codes made ahead, one pool for each app; SPEC.md holds the rules. Every call rejects with RedisUnavailable when Redis cannot be asked. */
export interface Pool {
  /**
   * Leases a code to a ticket; a ticket that has one keeps it. Undefined when there is none to lease.
   * @param leaseMs  how long a scan of the code leads to the ticket
   */
  lease(ticket: string, leaseMs: number): Promise<Lease | undefined>
  /**
   * The ticket behind a scene. TICKET_EXPIRED when it is leased to nobody; CHECK_REQUIRED, CHECK_WRONG when the code was shown to
   * others before and the number does not prove that the person looks at this lease.
   */
  resolve(scene: string, check?: string): Promise<Result<string>>
  /** Counts a picture that was asked for, pooled or not: the refill job looks at it. */
  count(): Promise<void>
  /** Pictures asked for in the busiest of the last ten minutes. */
  demand(): Promise<number>
  stock(): Promise<Stock>
  add(scene: string, image: PooledImage): Promise<void>
  /** Every code, in no order. */
  list(): AsyncIterable<PooledCode>
  /** Takes codes out for good; one that is leased at this moment goes too, and its scan reads as expired. Gives the store's keys of those that were there. */
  retire(scenes: readonly string[]): Promise<string[]>
}
