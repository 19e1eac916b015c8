import { startRedisCluster } from '@saoma/testing'
import { boundsContract } from './bounds.ts'
import { auditContract } from './contract.ts'

const cluster = await startRedisCluster()
await auditContract(cluster.url)
boundsContract(cluster.url)
