import { startRedisCluster } from '@saoma/testing'
import { ticketContract } from './contract.ts'

const cluster = await startRedisCluster()
await ticketContract(cluster.url)
