import { apiKeyLine, type Cluster, startCluster, testApiKey } from '@saoma/testing'
import { browser } from './environment.ts'
import { liveContract, liveRules } from './live-contract.ts'

let cluster: Cluster

beforeAll(async () => {
  cluster = await startCluster({
    nodes: 2,
    env: { SAOMA_CHANNELS: JSON.stringify(liveRules), SAOMA_API_KEYS: apiKeyLine(testApiKey, 'room:*,user:*') },
  })
})

liveContract(browser, () => cluster)
