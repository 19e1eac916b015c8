import { startRedis } from '@saoma/testing'
import { ticketContract } from './contract.ts'

const server = await startRedis()
await ticketContract(server.url)
