import { type Cluster, startCluster } from '@saoma/testing'
import { miniProgram } from '../environment.ts'
import { liveFailureContract } from '../live-failure-contract.ts'

let cluster: Cluster

beforeAll(async () => {
  cluster = await startCluster({ nodes: 2 })
})

liveFailureContract(miniProgram, () => cluster)
