import { startRedisCluster } from '@saoma/testing'
import { auditContract } from './contract.ts'

const cluster = await startRedisCluster()
await auditContract(cluster.url)
