import { startRedis } from '@saoma/testing'
import { poolContract } from './pool-contract.ts'

const server = await startRedis()
poolContract(server.url)
