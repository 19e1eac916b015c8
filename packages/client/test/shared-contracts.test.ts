import { apiKeyLine, type Cluster, startCluster, testApiKey } from '@saoma/testing'
import { tabs } from './environment.ts'
import { liveContract, liveRules } from './live-contract.ts'
import { liveDoorsContract } from './live-doors-contract.ts'
import { liveFailureContract } from './live-failure-contract.ts'

let cluster: Cluster
/** Its nodes are killed, and a test finds the one that holds the only socket. */
let mortal: Cluster

beforeAll(async () => {
  const env = { SAOMA_CHANNELS: JSON.stringify(liveRules), SAOMA_API_KEYS: apiKeyLine(testApiKey, 'room:*,user:*') }
  ;[cluster, mortal] = await Promise.all([startCluster({ nodes: 2, env }), startCluster({ nodes: 2 })])
})

describe('a tab that shares its connection', () => {
  liveContract(tabs, () => cluster)
  liveDoorsContract(tabs, () => cluster)
  liveFailureContract(tabs, () => mortal)
})
