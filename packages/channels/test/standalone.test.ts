import { startRedis } from '@saoma/testing'
import { channelsContract } from './contract.ts'

const server = await startRedis()
await channelsContract(server.url)
