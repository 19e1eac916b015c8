import { startRedisCluster } from '@saoma/testing'
import { channelsContract } from './contract.ts'

const cluster = await startRedisCluster()
await channelsContract(cluster.url)
