import { createHash, randomUUID } from 'node:crypto'
import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { TOKEN_EXCHANGE_GRANT } from '@saoma/protocol'
import { type Answer, onCleanup, plainEnv, request, startCluster, startProcess, until } from '@saoma/testing'
import { calculateJwkThumbprint, exportJWK, generateKeyPair, type JWK, SignJWT } from 'jose'
import { json, startBusinessServer } from './business-server.ts'
import { AUDIENCE, createJwtSigner, ISSUER, inSeconds } from './jwt-signer.ts'

/*
 * The company's own app as the phone: its backend's token for a phone's, on two nodes behind nginx, without
 * WeChat and without demo mode. The honest app is the one of examples/own-app.
 */

export interface Told {
  status: number
  body: Record<string, unknown>
}
interface StandIn {
  exchange(): Promise<Told>
  scan(ticket: string): Promise<Told>
  confirm(ticket: string): Promise<Told>
  reject(ticket: string): Promise<Told>
  logins(): Promise<Told>
  end(sid: string): Promise<Told>
}
type CreateOwnApp = (options: {
  saoma: string
  backend: string
  session: string
  node?: () => string
}) => Promise<StandIn>

const example = new URL('../../../examples/own-app/', import.meta.url)
const { createOwnApp } = (await import(new URL('app.ts', example).href)) as { createOwnApp: CreateOwnApp }

export const JWT = 'urn:ietf:params:oauth:token-type:jwt'
/** The issuer whose apps must prove a key. Its ids are in another claim. */
export const STRICT = 'https://strict.business.example'
/** One whose keys lie behind a redirect. */
export const ASTRAY = 'https://astray.business.example'

/** Writes a file as people should: beside the old one, and then in its place. */
const replace = async (path: string, text: string): Promise<void> => {
  await writeFile(`${path}.new`, text)
  await rename(`${path}.new`, path)
}

export const claimsOf = (token: unknown): Record<string, unknown> =>
  JSON.parse(Buffer.from(String(token).split('.')[1] ?? '', 'base64url').toString())
/** The person of a token that was given. */
export const personOf = ({ status, body }: Answer<Record<string, string>>): unknown => {
  expect({ status, error: body.error_description ?? '' }).toEqual({ status: 200, error: '' })
  return claimsOf(body.access_token).sub
}
export const expectRefused = ({ status, body }: Answer<Record<string, string>>, words: string | RegExp): void =>
  expect({ status, ...body }).toMatchObject({
    status: 400,
    error: 'invalid_request',
    error_description: expect.stringMatching(words),
  })

/** The cluster, the issuers that it knows, and an app. All of it ends with the test file. */
export const startOwnAppStage = async () => {
  const folder = await mkdtemp(join(tmpdir(), 'saoma-phone-'))
  onCleanup(() => rm(folder, { recursive: true, force: true }))
  const file = join(folder, 'issuers.json')
  const [first, strict] = await Promise.all([createJwtSigner('first'), createJwtSigner('strict', 'RS256')])
  /** A server that only the nodes reach, and that nobody has named. */
  const inside = await startBusinessServer(json({ keys: [first.jwk] }))
  const astray = await startBusinessServer((res) => void res.writeHead(302, { location: inside.url }).end())
  /** The published keys of the issuer `shop`. */
  const publish = (...keys: JWK[]): Promise<void> => replace(join(folder, 'shop.json'), JSON.stringify({ keys }))
  await publish(first.jwk)
  await writeFile(join(folder, 'strict.json'), JSON.stringify({ keys: [strict.jwk] }))
  const own = await startProcess({
    name: 'the backend of an app',
    command: process.execPath,
    args: [fileURLToPath(new URL('backend.ts', example))],
    env: { ...plainEnv(), PORT: '0', AUDIENCE, ISSUER: 'https://login.acme.example' },
    ready: ({ text }) => text.startsWith('listening on '),
  })
  const backend = own.lines.map(({ text }) => /^listening on (.*)$/.exec(text)?.[1]).find(Boolean) ?? ''
  /** The issuers that the nodes have at the beginning. */
  const issuers: Record<string, unknown>[] = [
    { name: 'acme', issuer: 'https://login.acme.example', jwks_uri: `${backend}/jwks.json`, audience: AUDIENCE },
    {
      name: 'shop',
      issuer: ISSUER,
      jwks_file: join(folder, 'shop.json'),
      audience: AUDIENCE,
      profile_claims: { name: 'nickname' },
    },
    {
      ...{ name: 'strict', issuer: STRICT, jwks_file: join(folder, 'strict.json'), audience: ['other', AUDIENCE] },
      ...{ person_claim: 'uid', dpop_bound_access_tokens: true },
    },
    { name: 'astray', issuer: ASTRAY, jwks_uri: astray.url, audience: AUDIENCE },
  ]
  const writeIssuers = (text: string): Promise<void> => replace(file, text)
  await writeIssuers(JSON.stringify(issuers, undefined, 1))
  const cluster = await startCluster({
    nodes: 2,
    appendonly: true,
    env: { SAOMA_DEMO: 'false', NODE_ENV: 'production', SAOMA_PHONE_ISSUERS: file, SAOMA_APP_NAME: 'Acme' },
  })

  /** The nodes by turns, so that each step is at another one than the step before. */
  const byTurns = (): (() => string) => {
    let turn = 0
    return () => cluster.nodes[turn++ % cluster.nodes.length]?.origin ?? ''
  }
  const [nodeA, nodeB] = [() => cluster.nodes[0]?.origin ?? '', () => cluster.nodes[1]?.origin ?? '']

  const appOf = async (person: string, node: () => string = () => cluster.origin): Promise<StandIn> => {
    const { body } = await request<{ session: string }>(`${backend}/login`, { json: { person } })
    return createOwnApp({ saoma: cluster.origin, backend, session: body.session, node })
  }

  /** A good token of the issuer `shop`, except for what is given. */
  const sign = (claims: Record<string, unknown> = {}, header = {}): Promise<string> =>
    first.sign({ jti: randomUUID(), ...claims }, header)
  const exchange = (
    token: string,
    more: Record<string, string> = {},
    { node = cluster.origin, dpop }: { node?: string; dpop?: string } = {},
  ): Promise<Answer<Record<string, string>>> =>
    request(`${node}/oidc/token`, {
      form: {
        grant_type: TOKEN_EXCHANGE_GRANT,
        client_id: 'phone',
        subject_token: token,
        subject_token_type: JWT,
        ...more,
      },
      ...(dpop ? { headers: { dpop } } : {}),
    })
  /**
   * The answer about tokens, once the keys have been read again. Until then nobody can say that one is
   * unknown.
   */
  const judged = (make: () => Promise<string>): Promise<Answer<Record<string, string>>> =>
    until(
      async () => exchange(await make()),
      ({ status }) => status < 500,
    )

  /** A key of an app, and its proofs. */
  const createKey = async (alg = 'ES256') => {
    const { publicKey, privateKey } = await generateKeyPair(alg)
    const jwk = await exportJWK(publicKey)
    return {
      jkt: await calculateJwkThumbprint(jwk),
      prove: (method: string, path: string, token?: string, claims: Record<string, unknown> = {}, header = {}) =>
        new SignJWT({
          ...{ htm: method, htu: `${cluster.origin}${path}`, jti: randomUUID(), iat: inSeconds(0) },
          ...(token ? { ath: createHash('sha256').update(token).digest('base64url') } : {}),
          ...claims,
        })
          .setProtectedHeader({ alg, typ: 'dpop+jwt', jwk, ...header })
          .sign(privateKey),
    }
  }
  const sessions = (headers: Record<string, string>) =>
    request<{ code?: string }>(`${cluster.origin}/v1/sessions`, { headers })

  return {
    ...{ cluster, nodeA, nodeB, byTurns, file, first, strict, inside, publish, issuers, writeIssuers },
    ...{ appOf, sign, exchange, judged, createKey, sessions },
  }
}
