import { createRedis } from '@saoma/redis'
import {
  type Answer,
  apiKeyLine,
  onCleanup,
  phoneToken,
  request,
  startCluster,
  testAdminKey,
  until,
} from '@saoma/testing'
import type * as oidc from 'openid-client'
import { begin, createBrowser, discover as discoverAt, logIn, REDIRECT, testClients } from './relying-party.ts'

/* Two nodes with applications that are kept in Redis, and those who make and use them. */

export const CLUSTER_SECRET = 'a secret of the cluster that only this test has'
export const reader = `saoma_reader_${'r'.repeat(43)}`

interface Listed {
  client_id: string
  source: string
  client?: Record<string, unknown>
  client_secret?: string
  hidden?: true
  lastUsedAt?: string
  formerUntil?: string
  code?: string
  detail?: string
}
export const registration = (client_id: string, more: object = {}) => ({
  ...{ client_id, client_name: `The ${client_id}`, type: 'confidential', party: 'first' },
  redirect_uris: [REDIRECT],
  grant_types: ['authorization_code', 'refresh_token'],
  scope: 'openid profile offline_access',
  ...more,
})
/** Where each of them takes the answer. */
export const TO = { redirect_uri: REDIRECT }

/** All of it ends with the test file. */
export const startStoredClientsStage = async () => {
  const cluster = await startCluster({
    nodes: 2,
    env: {
      SAOMA_SECRET: CLUSTER_SECRET,
      SAOMA_CLIENTS: testClients,
      SAOMA_API_KEYS: [
        apiKeyLine(testAdminKey, 'room:*', 'clients:read,clients:write,audit:read,keys:write'),
        apiKeyLine(reader, 'room:*', 'clients:read'),
      ].join(';'),
    },
  })
  const redis = await createRedis({ url: cluster.redis.url, probeMs: 0 })
  onCleanup(() => redis.close())
  const alice = await phoneToken(cluster.origin, 'alice')
  const nodes = () => cluster.nodes.map(({ origin }) => origin)
  const inside = (i = 0) => cluster.nodes[i]?.internalOrigin

  /** The routes of applications on one node, with one key. */
  const admin = (i = 0, bearer = testAdminKey) => {
    const at = `${inside(i)}/v1/admin/clients`
    return {
      list: (query = ''): Promise<Answer<{ clients: Listed[]; cursor?: string }>> =>
        request(`${at}${query}`, { bearer }),
      read: (id: string): Promise<Answer<Listed>> => request(`${at}/${id}`, { bearer }),
      create: (json: unknown): Promise<Answer<Listed>> => request(at, { bearer, json }),
      change: (id: string, json: unknown): Promise<Answer<Listed>> => request(`${at}/${id}`, { bearer, json }),
      rotate: (id: string, json: unknown = {}): Promise<Answer<Listed>> =>
        request(`${at}/${id}/rotate`, { bearer, json }),
      remove: (id: string): Promise<Answer<{ removed?: boolean; code?: string }>> =>
        request(`${at}/${id}`, { method: 'DELETE', bearer }),
    }
  }

  /** Makes one on the first node. Resolves with its secret. */
  const make = async (id: string, more: object = {}): Promise<string> => {
    const { status, body } = await admin().create(registration(id, more))
    if (status !== 201) throw new Error(`expected 201, got ${status}: ${JSON.stringify(body)}`)
    // Every node of the cluster has heard of it.
    await until(
      async () => (await fetch(`${nodes()[1]}/oidc/auth?client_id=${id}`, { redirect: 'manual' })).text(),
      (text) => !/client is invalid|invalid_client/.test(text),
    )
    return body.client_secret ?? ''
  }

  const discover = (id: string, secret: string): Promise<oidc.Configuration> =>
    discoverAt(cluster.origin, id, { client_secret: secret })
  /** A person scans. Resolves with the address that has the code. */
  const scan = async (config: oidc.Configuration, browser = createBrowser(cluster.origin, nodes())) => {
    const { url, checks } = await begin(config, TO)
    const { location } = await browser.go(url)
    return { browser, checks, answer: new URL(await logIn(browser, cluster.origin, location, alice)) }
  }
  /** How a node answers a refresh. */
  const refreshAt = async (i: number, id: string, secret: string, token: string) => {
    const { status, body } = await request<{ error?: string }>(`${nodes()[i]}/oidc/token`, {
      form: { grant_type: 'refresh_token', refresh_token: token, client_id: id, client_secret: secret },
    })
    return { status, error: body.error }
  }
  const userinfo = async (token: string, i = 1) => (await request(`${nodes()[i]}/oidc/me`, { bearer: token })).status
  /** The entries of a kind, when there are so many. */
  const entries = (kind: string, count: number) =>
    until(
      async () =>
        (
          await request<{ entries: Record<string, string>[] }>(`${inside()}/v1/admin/audit?kind=${kind}`, {
            bearer: testAdminKey,
          })
        ).body.entries,
      ({ length }) => length >= count,
    )

  return { cluster, redis, alice, nodes, admin, make, discover, scan, refreshAt, userinfo, entries }
}
