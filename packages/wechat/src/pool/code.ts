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
  /** Two digits, another for each lease of the code; none for a code that nobody has seen before. */
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
