import { type Cluster, liveSettings, startCluster } from '@saoma/testing'
import { miniProgram } from '../environment.ts'
import { liveContract, liveRules } from '../live-contract.ts'
import { liveDoorsContract } from '../live-doors-contract.ts'
import { loginContract } from '../login-contract.ts'

let cluster: Cluster

beforeAll(async () => {
  const rules: object[] = JSON.parse(liveSettings.SAOMA_CHANNELS ?? '')
  cluster = await startCluster({ nodes: 2, env: { SAOMA_CHANNELS: JSON.stringify([...liveRules, ...rules.slice(1)]) } })
})

describe('rooms', () => liveContract(miniProgram, () => cluster))
describe('doors', () => liveDoorsContract(miniProgram, () => cluster))
describe('logins', () => loginContract(miniProgram, () => cluster))
