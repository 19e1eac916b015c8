/** A picture as the pool stores it. */
export interface PooledImage {
  /** Its key in the store. */
  key: string
  type: 'image/jpeg' | 'image/png'
  /** SHA-256 in base64. */
  sha256: string
}

export interface Lease {
  scene: string
  /** The number of the code's leases, including this one. */
  epoch: number
  /** Two digits, different for each lease of the code. Undefined for a fresh code. */
  check?: string
  image: PooledImage
}

/** Number of codes, by state. */
export interface Stock {
  /** Never seen by anybody. */
  fresh: number
  /** Leased before, and available again. */
  rested: number
  /** Leased or in quarantine. */
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
