import Router from '@koa/router'
import { CLUSTER_VERSION } from '@saoma/redis'
import proxyAddr from 'proxy-addr'
import * as v from 'valibot'
import { provesSecret } from '../../access/diagnosis-token.ts'
import { version } from '../../operate/version.ts'
import { createAddressReader } from '../client-address.ts'
import type { RequestState } from './context.ts'
import { bearer } from './credentials.ts'
import { problem } from './problem.ts'

/** How a node sees one request: the answer of `GET /v1/diagnosis`. */
export const Diagnosis = v.object({
  node: v.string(),
  /** Version of the node's program. */
  version: v.string(),
  /** Nodes of two versions may not be able to run together. */
  clusterVersion: v.pipe(v.number(), v.integer()),
  /** Address that counts as the caller's. */
  ip: v.string(),
  /** Address of the connection to the node, which is a proxy's. */
  peer: v.string(),
  /** `X-Forwarded-Proto` of a trusted peer, else the one of the connection. Nothing depends on it. */
  proto: v.string(),
  /** The header `Host`. */
  host: v.string(),
  /** A proxy that forwards this request and is not trusted, and the setting that would trust it. */
  untrusted: v.nullable(
    v.object({ address: v.string(), setting: v.picklist(['NGINX_TRUST', 'SAOMA_TRUSTED_PROXIES']) }),
  ),
  /** The node's clock, in milliseconds since 1970. */
  time: v.number(),
})
export type Diagnosis = v.InferOutput<typeof Diagnosis>

/** Address of the route. */
export const DIAGNOSIS_PATH = '/v1/diagnosis'

export interface DiagnosisOptions {
  nodeId: string
  /** Public origin of the cluster. A proof is for its host alone. */
  origin: string
  /** The node's secrets: a caller proves that it knows one of them. */
  secrets: readonly string[]
  trustedProxies: readonly string[]
}

/**
 * Tells `saoma doctor` how this node sees it. Anybody else gets the answer of an address that does not exist.
 */
export const diagnosisRoutes = ({
  nodeId,
  origin,
  secrets,
  trustedProxies,
}: DiagnosisOptions): Router<RequestState> => {
  const router = new Router<RequestState>({ prefix: '/v1', sensitive: true })
  const trust = proxyAddr.compile([...trustedProxies])
  const { host } = new URL(origin)

  router.get('/diagnosis', (ctx) => {
    const now = Date.now()
    if (!provesSecret(bearer(ctx), { secrets, host, now })) return problem(ctx, 'NOT_FOUND')
    const untrusted: NonNullable<Diagnosis['untrusted']>[] = []
    const ip = createAddressReader(trustedProxies, (address, setting) => untrusted.push({ address, setting }))(ctx.req)
    const peer = ctx.req.socket.remoteAddress ?? ''
    ctx.set('Cache-Control', 'no-store')
    ctx.body = {
      node: nodeId,
      version,
      clusterVersion: CLUSTER_VERSION,
      ip,
      peer: peer.replace(/^::ffff:/, ''),
      proto: (trust(peer, 0) && ctx.get('X-Forwarded-Proto')) || ctx.protocol,
      host: ctx.host,
      untrusted: untrusted[0] ?? null,
      time: now,
    } satisfies Diagnosis
  })

  return router
}
