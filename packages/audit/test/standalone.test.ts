import { startRedis } from '@saoma/testing'
import { auditContract } from './contract.ts'

const server = await startRedis()
await auditContract(server.url)
