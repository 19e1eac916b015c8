import { type Cluster, createTicket, poll, startCluster } from '@saoma/testing'
import { type PhoneOptions, scanned, startPhone } from './phone.ts'

/** Two nodes for the tests of one file: browsers ask the first one, phones the second. */
export const createStage = (env: Record<string, string> = {}) => {
  let cluster: Cluster
  beforeAll(async () => {
    // Ana does all of this within a minute. A page without a code reads her list of requests, too.
    cluster = await startCluster({ nodes: 2, env: { SAOMA_LIMIT_DECISIONS: '600', ...env } })
  })

  /** A browser asks to be logged in. */
  const ask = (headers: Record<string, string> = {}) => createTicket(cluster.nodes[0]?.origin ?? '', { headers })
  const phone = (person: string, options?: PhoneOptions) => startPhone(cluster, person, options)

  return {
    get cluster(): Cluster {
      return cluster
    },
    ask,
    phone,
    statusOf: async (deviceCode: string) => (await poll(cluster.origin, deviceCode, { wait: 0 })).body.status,
    /** A person in front of the question of a new ticket. */
    asking: async (person: string, options?: PhoneOptions) => {
      const { ticket, device_code: deviceCode } = await ask()
      const owner = phone(person, options)
      const login = owner.login(scanned(ticket))
      const { question } = await login.reaches('asking')
      return { ticket, deviceCode, owner, login, question }
    },
  }
}

/** Decisions that left the phone, in order. */
export const decisions = (asked: string[]): string[] =>
  asked.flatMap((path) => /(confirm|reject)$/.exec(path)?.[1] ?? [])
