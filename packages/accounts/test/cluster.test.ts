import { startRedisCluster } from '@saoma/testing'
import { accountContract } from './contract.ts'

const cluster = await startRedisCluster()
accountContract(cluster.url)
