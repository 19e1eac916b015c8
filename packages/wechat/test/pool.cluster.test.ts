import { startRedisCluster } from '@saoma/testing'
import { poolContract } from './pool-contract.ts'

const cluster = await startRedisCluster()
poolContract(cluster.url)
