import { CIBA_GRANT, type WaitingRequests } from '@saoma/protocol'
import { createRedis } from '@saoma/redis'
import { type Cluster, confirm, onCleanup, phoneToken, request, scan, startCluster } from '@saoma/testing'
import { decodeJwt } from 'jose'
import { deskClient, SECRET } from './relying-party.ts'

/* People whom somebody asks on their phones. Each call goes to the other node than the one before. */

/** People of a cluster, whom nobody has asked yet. @param named  what their names begin with */
export const createPeople = ({ nodes }: Pick<Cluster, 'nodes'>, named = 'person') => {
  let turn = 0
  let people = 0
  const node = () => nodes[turn++ % nodes.length]?.origin ?? ''
  return {
    node,
    somebody: async () => {
      const phone = await phoneToken(node(), `${named} ${people++}`)
      return { phone, sub: String(decodeJwt(phone).sub) }
    },
    /** The requests that wait for a phone. */
    inboxOf: async (bearer: string) =>
      (await request<WaitingRequests>(`${node()}/v1/me/requests`, { bearer })).body.requests,
  }
}

/** A server that asks. */
export const server = (client_id: string, more: object = {}) => ({
  ...deskClient,
  client_id,
  client_name: client_id,
  ...more,
})

export interface Asked {
  auth_req_id: string
  ticket: string
  number: string
  error?: string
  code?: string
}

/** A cluster of three nodes, and servers that ask. All of it ends with the test file. */
export const startPushedStage = async (
  clients: readonly ReturnType<typeof server>[],
  env: Readonly<Record<string, string>> = {},
) => {
  const cluster = await startCluster({ nodes: 3, env: { SAOMA_CLIENTS: JSON.stringify(clients), ...env } })
  const redis = await createRedis({ url: cluster.redis.url, probeMs: 0 })
  onCleanup(() => redis.close())
  const { node, somebody, inboxOf } = createPeople(cluster)

  const post = (client_id: string, form: Record<string, string>, origin = node()) =>
    request<Asked>(`${origin}/oidc/backchannel`, {
      form: { client_id, client_secret: SECRET, scope: 'openid', ...form },
    })
  const notified = clients.flatMap((one) => ('backchannel_client_notification_endpoint' in one ? [one.client_id] : []))

  return {
    ...{ cluster, redis, node, somebody, inboxOf, post },
    ask: async (client_id: string, login_hint: string): Promise<Asked> => {
      const form: Record<string, string> = { login_hint }
      if (notified.includes(client_id)) form.client_notification_token = 'a-token-of-the-application'
      const { status, body } = await post(client_id, form)
      if (status !== 200) throw new Error(`expected 200, got ${status}: ${JSON.stringify(body)}`)
      return body
    },
    take: (client_id: string, { auth_req_id }: Pick<Asked, 'auth_req_id'>, origin = node()) =>
      request<{ error?: string; id_token: string; access_token: string }>(`${origin}/oidc/token`, {
        form: { grant_type: CIBA_GRANT, client_id, client_secret: SECRET, auth_req_id },
      }),
    agree: async ({ ticket, number }: Asked, phone: string, [one, two] = [node(), node()]) => {
      await scan(one, ticket, phone)
      return confirm(two, ticket, phone, number ? { json: { number } } : {})
    },
    /** The time to answer is over. */
    expire: ({ ticket }: Asked) => redis.data.hset(redis.keys.ticket(ticket), 'deadline', Date.now() - 1),
    /** Whether the application has yet to be told. */
    isDue: async ({ ticket }: Asked): Promise<boolean> =>
      (await redis.data.zscore(redis.keys.pingsDue(), ticket)) !== null,
  }
}
