import { CLUSTER_VERSION } from '@saoma/redis'
import type { Check } from './check.ts'
import { diagnose, isUnknown, type Undiagnosed } from './diagnose.ts'
import type { Finding } from './finding.ts'
import { distrust, originOf } from './presence.ts'

const code = 'origin-versions'
/** So many questions find each of four nodes with a chance of 0.99. */
const QUESTIONS = 16
const AGAIN = 'Mend what the reason says, or wait a minute, and run the doctor again.'

interface Node {
  node: string
  version: string
  clusterVersion: number
}

const listed = (nodes: readonly Node[]): string =>
  nodes.map(({ node, version, clusterVersion }) => `${node} (${version}, cluster version ${clusterVersion})`).join(', ')

/**
 * Judges the nodes that were seen through the origin, and those that told nothing.
 *
 * @param silent  nodes that do not take the secret
 * @param others  why some questions had no answer, for another reason
 */
export const judgeVersions = (
  nodes: readonly Node[],
  silent: readonly string[],
  others: readonly string[] = [],
): Finding[] => {
  const findings: Finding[] = []
  const versions = new Set(nodes.map(({ clusterVersion }) => clusterVersion))
  if (silent.length > 0)
    findings.push({
      code,
      level: 'warning',
      says: `Some nodes behind the origin do not take this SAOMA_SECRET, or are of a former version: ${silent.join(', ')}.`,
      todo: 'Give all nodes the same SAOMA_SECRET and the same version.',
    })
  if (versions.size > 1)
    findings.push({
      code,
      level: 'warning',
      says: `Nodes of several cluster versions answer: ${listed(nodes)}.`,
      todo: 'Finish the update: replace the older nodes.',
    })
  else if (nodes.length > 0 && !versions.has(CLUSTER_VERSION))
    findings.push({
      code,
      level: 'warning',
      says: `The nodes have another cluster version than this doctor (${CLUSTER_VERSION}): ${listed(nodes)}.`,
      todo: 'Run the doctor of the version that the nodes have.',
    })
  if (others.length > 0)
    findings.push({
      code,
      level: 'skipped',
      says: `Some questions to the nodes were not answered: ${others.join('; ')}.`,
      todo: AGAIN,
    })
  if (findings.length > 0) return findings
  return [{ code, level: 'ok', says: `The nodes behind the origin have one cluster version: ${listed(nodes)}.` }]
}

const reasonOf = ({ node, why }: Undiagnosed): string => `${node ? `node ${node}` : 'something in front'}: ${why}`

/** Which versions the nodes have that answer at the origin. */
export const versions: Check = {
  name: 'versions',
  run: async (subject) => {
    const what = 'The versions of the nodes were not compared'
    const missing = await distrust(code, what, subject)
    if (missing) return [missing]
    const { config, signal } = subject
    const origin = originOf(subject) ?? ''
    const skipped = (why: string, todo = 'Run the doctor with the settings of a node.'): Finding[] => [
      { code, level: 'skipped', says: `${what}: ${why}.`, todo },
    ]
    if (!config) return skipped('SAOMA_SECRET is not known')
    const { secrets } = config
    const answers = await Promise.all(Array.from({ length: QUESTIONS }, () => diagnose(origin, { signal, secrets })))
    const nodes = new Map<string, Node>()
    const silent = new Set<string>()
    const others = new Set<string>()
    for (const answer of answers) {
      if ('diagnosis' in answer) nodes.set(answer.diagnosis.node, answer.diagnosis)
      else if (isUnknown(answer) && answer.node) silent.add(answer.node)
      else others.add(reasonOf(answer))
    }
    const whys = [...others].sort()
    if (nodes.size === 0)
      return silent.size > 0 ? skipped('no node takes this SAOMA_SECRET') : skipped(whys.join('; '), AGAIN)
    return judgeVersions(
      [...nodes.values()].sort((a, b) => (a.node < b.node ? -1 : 1)),
      [...silent].sort(),
      whys,
    )
  },
}
