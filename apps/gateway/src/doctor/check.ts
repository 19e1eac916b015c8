import type { Config } from '../config/config.ts'
import type { Finding } from './finding.ts'

export interface Subject {
  /**
   * The node's settings; undefined when they cannot be read (then a finding says so) or only an origin is
   * known.
   */
  config?: Config
  /** Public origin that is looked at. */
  origin?: string
  /** Ends every wait. */
  signal: AbortSignal
}

export interface Check {
  name: string
  run(subject: Subject): Promise<Finding[]>
}
