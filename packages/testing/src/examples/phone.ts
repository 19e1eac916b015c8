import { type Cluster, type ClusterOptions, startCluster } from '../cluster.ts'
import { confirm, phoneToken, scan } from '../login.ts'

/** Who scans and confirms every code. */
export const PERSON = 'Ann'

/** A cluster with a phone beside it. */
export interface ExampleCluster extends Cluster {
  /**
   * Resolves when the phone has confirmed all codes that it has seen so far. Rejects with the error that kept
   * it from one.
   */
  confirmed(): Promise<void>
}

const ROOMS = { match: 'room:*', follow: 'public', publish: 'followers', announce: true }

/**
 * A cluster for examples: everybody may follow every room, and a phone confirms each code as soon as a page
 * watches it.
 */
export const startExampleCluster = async (options: ClusterOptions = {}): Promise<ExampleCluster> => {
  /** What became of each code: nothing, or why it could not be confirmed. */
  const outcomes: Promise<unknown>[] = []
  const cluster = await startCluster({
    nodes: 1,
    ...options,
    env: { SAOMA_CHANNELS: JSON.stringify([ROOMS]), ...options.env },
    onLine: (_, { json }) => {
      if (json?.event === 'watch' && json.status === 'pending')
        outcomes.push(approve(String(json.ticket)).catch((error: unknown) => error))
    },
  })
  const phone = phoneToken(cluster.origin, PERSON)

  const approve = async (ticket: string): Promise<void> => {
    await scan(cluster.origin, ticket, await phone)
    await confirm(cluster.origin, ticket, await phone)
  }
  return {
    ...cluster,
    confirmed: async () => {
      const failed = (await Promise.all(outcomes.splice(0))).find((outcome) => outcome !== undefined)
      if (failed !== undefined) throw failed
    },
  }
}
