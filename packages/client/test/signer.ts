import { createRedis, createSeal } from '@saoma/redis'
import { type Cluster, onCleanup } from '@saoma/testing'
import { importJWK, type JWK, type JWTHeaderParameters, type JWTPayload, SignJWT } from 'jose'

/** The settings of a cluster whose signing keys a test can read. */
export const signerEnv = { SAOMA_SECRET: 'a secret of tests that sign tokens by themselves' }

/** One signing key as it lies in Redis. */
export interface StoredKey {
  kid: string
  /** Milliseconds since 1970. */
  signsFrom: number
  sealed: string
}

export interface Signer {
  /**
   * Signs with the cluster's own newest key: a good token of a page, except for the claims and header
   * parameters that are given. A claim that is undefined is left out.
   */
  sign(claims?: JWTPayload, header?: Partial<JWTHeaderParameters>): Promise<string>
  /** The ring, oldest key first. */
  ring(): Promise<StoredKey[]>
  /** Writes the ring. The nodes read it within five seconds. */
  writeRing(ring: readonly StoredKey[]): Promise<void>
  /** Deletes the ring, as an operator does whose keys have leaked. */
  deleteRing(): Promise<void>
}

/** Reads and changes the keys of a cluster that runs with `signerEnv`. */
export const openSigner = async ({ origin, redis }: Cluster): Promise<Signer> => {
  const { data, keys, close } = await createRedis({ url: redis.url, probeMs: 0 })
  onCleanup(close)
  const seal = createSeal({ secrets: [signerEnv.SAOMA_SECRET], purpose: 'saoma signing keys' })
  const ring = async (): Promise<StoredKey[]> => JSON.parse((await data.get(keys.signingKeys())) ?? '[]')

  return {
    ring,
    writeRing: async (next) => void (await data.set(keys.signingKeys(), JSON.stringify(next))),
    deleteRing: async () => void (await data.unlink(keys.signingKeys())),
    sign: async (claims = {}, header = {}) => {
      const newest = (await ring()).at(-1)
      const jwk: JWK = JSON.parse((await seal.open(newest?.sealed ?? '')) ?? '')
      const now = Math.floor(Date.now() / 1_000)
      const whose = { iss: `${origin}/oidc`, aud: origin, sub: 'somebody', client_id: 'web', sid: 'x'.repeat(22) }
      return new SignJWT({ ...whose, scope: 'openid', iat: now, exp: now + 600, ...claims })
        .setProtectedHeader({ alg: 'ES256', typ: 'at+jwt', kid: jwk.kid ?? '', ...header })
        .sign(await importJWK(jwk, 'ES256'))
    },
  }
}
