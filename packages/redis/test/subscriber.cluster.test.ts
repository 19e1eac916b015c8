import { startRedisCluster } from '@saoma/testing'
import { subscriberContract } from './subscriber-contract.ts'

const redis = await startRedisCluster()
await subscriberContract(redis.url)
