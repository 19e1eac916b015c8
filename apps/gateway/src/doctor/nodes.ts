import { CLUSTER_VERSION, type Member, memberOf, orUnavailable, VERSION_BESIDE } from '@saoma/redis'
import { version } from '../operate/version.ts'
import type { Check, Subject } from './check.ts'
import type { Finding } from './finding.ts'
import { error, needsSettings, ok, skipped, warning } from './findings.ts'
import { type BothRedis, liveNodes, withBoth } from './live-nodes.ts'
import { redisOf, whyAway } from './open-redis.ts'

/** What is written for a build that did not write its version down. */
const UNKNOWN = 'of an unknown version, before 0.2'

interface Node extends Partial<Member> {
  nodeId: string
}

const nameOf = ({ nodeId, release, host, pid }: Node): string =>
  `${nodeId} (${release ?? UNKNOWN}${pid === undefined ? '' : `, process ${pid} on ${host}`})`

const numbers = (nodes: readonly Node[]): Finding => {
  if (nodes.length === 0)
    return warning(
      'nodes-live',
      'No node is running.',
      'Start the nodes. For an installation that is only planned this is as it should be.',
    )
  const says = `${nodes.length} ${nodes.length === 1 ? 'node is' : 'nodes are'} running: ${nodes.map(nameOf).join(', ')}.`
  return nodes.length === 1
    ? warning('nodes-live', says, 'Run at least two, so that one can be stopped or lost.')
    : ok('nodes-live', says)
}

const versions = (nodes: readonly Node[]): Finding[] => {
  const found = [...new Set(nodes.map(({ release }) => release ?? UNKNOWN))]
  if (found.length === 0) return []
  if (found.length > 1)
    return [
      warning(
        'nodes-version',
        `The nodes are of ${found.length} versions: ${nodes.map(nameOf).join(', ')}.`,
        'Finish the update. While it is going on this is as it should be.',
      ),
    ]
  const [only] = found
  return only === version
    ? [ok('nodes-version', `All nodes are of version ${version}, as this command is.`)]
    : [
        warning(
          'nodes-version',
          `All nodes are of the same version (${only}), and this command is of version ${version}.`,
          'Use the command of the version of the nodes, or update them.',
        ),
      ]
}

const clusterVersion = async ({ logins: { data, keys } }: BothRedis): Promise<Finding[]> => {
  const standing = await orUnavailable(data.get(keys.clusterVersion()))
  if (standing === null) return []
  if (standing === `${CLUSTER_VERSION}`)
    return [ok('nodes-cluster-version', `The cluster is of version ${standing}, as the nodes of this build are.`)]
  if (Number(standing) > CLUSTER_VERSION)
    return [
      warning(
        'nodes-cluster-version',
        `The cluster is of version ${standing}, and this command is older (${CLUSTER_VERSION}).`,
        'Run the doctor of the version that the nodes have.',
      ),
    ]
  return standing === `${VERSION_BESIDE}`
    ? [
        warning(
          'nodes-cluster-version',
          `Nodes of cluster version ${standing} are running. Those of this build (${CLUSTER_VERSION}) write the former form beside them.`,
          'Finish the update, so that the former nodes are gone.',
        ),
      ]
    : [
        error(
          'nodes-cluster-version',
          `Nodes of cluster version ${standing} are running, and those of this build (${CLUSTER_VERSION}) cannot run beside them.`,
          'Stop all nodes, wait half a minute and start the new ones, as CHANGELOG.md says under "Before you update".',
        ),
      ]
}

const look = async (both: BothRedis): Promise<Finding[]> => {
  const nodes: Node[] = []
  for (const nodeId of await liveNodes(both)) nodes.push({ nodeId, ...(await memberOf(both.logins, nodeId)) })
  return [numbers(nodes), ...versions(nodes), ...(await clusterVersion(both))]
}

/** Looks at which nodes live, and of which versions they are. It reads what they wrote into Redis. */
export const nodesCheck: Check = {
  name: 'nodes',
  run: async ({ config, signal }: Subject) => {
    if (!config) return needsSettings('Nodes were')
    try {
      return await withBoth(config, signal, look)
    } catch (failure) {
      const [{ name, url } = { name: '', url: config.redisUrl }] = redisOf(config)
      if (whyAway(failure, name, url) === undefined) throw failure
      return [skipped('nodes-live', 'Nodes were not looked at: Redis does not answer.', 'See the check of Redis.')]
    }
  },
}
