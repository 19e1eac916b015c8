import { startRedis } from '@saoma/testing'
import { boundsContract } from './bounds.ts'
import { auditContract } from './contract.ts'

const server = await startRedis()
await auditContract(server.url)
boundsContract(server.url)
