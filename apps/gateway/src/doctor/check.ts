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
  /** SAOMA_WEB_ROOT as it was given: pages that this command has itself say nothing about the nodes. */
  webRoot?: string
  /**
   * Whether the origin stands in the settings, is a loopback address, and this is a container. Such an
   * address leads to the container alone, as a node knows too.
   */
  isContainersOwn?: boolean
  /** Ends every wait. */
  signal: AbortSignal
}

/** Takes findings as they come. */
export type Find = (...findings: readonly Finding[]) => void

export interface Check {
  name: string
  /**
   * Looks, and resolves with all findings.
   *
   * @param find  takes each finding as soon as it is known. It is kept if the check fails or comes late
   */
  run(subject: Subject, find?: Find): Promise<Finding[]>
}

/** A check that waits several times, and hands each finding over as it comes. */
export const stepwise = (name: string, look: (subject: Subject, find: Find) => Promise<void>): Check => ({
  name,
  run: async (subject, find = () => {}) => {
    const all: Finding[] = []
    await look(subject, (...findings) => {
      all.push(...findings)
      find(...findings)
    })
    return all
  },
})
