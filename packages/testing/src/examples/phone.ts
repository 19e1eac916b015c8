import { type Cluster, type ClusterOptions, startCluster } from '../cluster.ts'
import { confirm, phoneToken, scan } from '../login.ts'

/** Who scans and confirms every code. */
export const PERSON = 'Ann'

const ROOMS = { match: 'room:*', follow: 'public', publish: 'followers', announce: true }

/**
 * A cluster for examples: everybody may follow every room, and a phone confirms each code as soon as a page
 * watches it.
 */
export const startExampleCluster = async (options: ClusterOptions = {}): Promise<Cluster> => {
  const cluster = await startCluster({
    nodes: 1,
    ...options,
    env: { SAOMA_CHANNELS: JSON.stringify([ROOMS]), ...options.env },
    onLine: (_, { json }) => {
      if (json?.event === 'watch' && json.status === 'pending') void approve(String(json.ticket)).catch(() => {})
    },
  })
  const phone = phoneToken(cluster.origin, PERSON)

  const approve = async (ticket: string) => {
    await scan(cluster.origin, ticket, await phone)
    await confirm(cluster.origin, ticket, await phone)
  }
  return cluster
}
