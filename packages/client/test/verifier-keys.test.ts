import { type Cluster, phoneToken, request, startCluster, until, webToken } from '@saoma/testing'
import { decodeProtectedHeader } from 'jose'
import { createVerifier, type Verifier } from '../src/server.ts'
import { openSigner, type Signer, signerEnv } from './signer.ts'

const DAY_MS = 86_400_000
/** Longer than the keys are fresh, and than the pause between two fetches. */
const TEN_MINUTES_MS = 600_000
const PAUSE_MS = 2_000

interface Scene {
  cluster: Cluster
  signer: Signer
  /** A verifier with a clock of its own, which counts its fetches. */
  open(): { verifier: Verifier; clock: { ms: number }; way: { fetches: number } }
}

const start = async (): Promise<Scene> => {
  const cluster = await startCluster({ nodes: 1, env: signerEnv })
  return {
    cluster,
    signer: await openSigner(cluster),
    open: () => {
      const [clock, way] = [{ ms: 0 }, { fetches: 0 }]
      const verifier = createVerifier({
        origin: cluster.origin,
        fetch: async (input, init) => {
          way.fetches++
          return fetch(input, init)
        },
        now: () => clock.ms,
      })
      return { verifier, clock, way }
    },
  }
}

const tokenOf = async ({ origin }: Cluster): Promise<string> => (await webToken(origin, 'Ada')).access_token
const kidOf = (token: string): string | undefined => decodeProtectedHeader(token).kid
/** The keys of access tokens. Those of RS256 are for id tokens of applications. */
const publishedBy = async ({ origin }: Cluster): Promise<(string | undefined)[]> => {
  const { body } = await request<{ keys: { kid?: string; alg?: string }[] }>(`${origin}/oidc/jwks`)
  return body.keys.filter(({ alg }) => alg === 'ES256').map(({ kid }) => kid)
}
const codesOf = async (verifier: Verifier, tokens: readonly string[]): Promise<string[]> =>
  Promise.all(
    tokens.map(async (token) => {
      const verified = await verifier.verify(token)
      return verified.ok ? 'ok' : verified.code
    }),
  )
const times = <T>(count: number, value: T): T[] => Array.from({ length: count }, () => value)

test('tokens cost one fetch together, and unknown keys one fetch in two seconds', async () => {
  const { cluster, signer, open } = await start()
  const { verifier, clock, way } = open()
  const token = await tokenOf(cluster)
  expect(await codesOf(verifier, times(100, token))).toEqual(times(100, 'ok'))
  expect(way.fetches).toBe(1)

  const strangers = await Promise.all(times(30, '').map((_, i) => signer.sign({}, { kid: `unknown-${i}` })))
  const unknown = times(30, 'KEY_UNKNOWN')
  expect(await codesOf(verifier, strangers)).toEqual(unknown)
  expect(way.fetches).toBe(1)

  clock.ms += PAUSE_MS
  expect(await codesOf(verifier, strangers)).toEqual(unknown)
  for (const stranger of strangers) expect(await codesOf(verifier, [stranger])).toEqual(['KEY_UNKNOWN'])
  expect(way.fetches).toBe(2)
  expect(await codesOf(verifier, [token])).toEqual(['ok'])
  expect(way.fetches).toBe(2)
})

test('a verifier follows the rotation of the signing keys', async () => {
  const { cluster, signer, open } = await start()
  const [regular, idle] = [open(), open()]
  const before = await tokenOf(cluster)
  for (const { verifier } of [regular, idle]) expect(await codesOf(verifier, [before])).toEqual(['ok'])

  // The key gets old: the node publishes a successor an hour before that signs.
  await signer.writeRing((await signer.ring()).map((key) => ({ ...key, signsFrom: key.signsFrom - 31 * DAY_MS })))
  await until(
    () => publishedBy(cluster),
    ({ length }) => length === 2,
  )
  regular.clock.ms += TEN_MINUTES_MS
  expect(await codesOf(regular.verifier, [before])).toEqual(['ok'])
  expect(regular.way.fetches).toBe(2)

  // The hour is over.
  const [old, next] = await signer.ring()
  if (!old || !next) throw new Error('the ring has no successor')
  await signer.writeRing([old, { ...next, signsFrom: Date.now() - 1 }])
  await until(
    () => phoneToken(cluster.origin, 'Ada'),
    (token) => kidOf(token) === next.kid,
  )
  const after = await tokenOf(cluster)
  expect([kidOf(before), kidOf(after)]).toEqual([old.kid, next.kid])

  // Whoever asked in the hour knows the key already. Whoever did not asks once, for all tokens together.
  idle.clock.ms += PAUSE_MS
  for (const { verifier, way } of [regular, idle]) {
    expect(await codesOf(verifier, times(20, after))).toEqual(times(20, 'ok'))
    expect(await codesOf(verifier, [before])).toEqual(['ok'])
    expect(way.fetches).toBe(2)
  }
})

test('a key that an operator deletes is refused ten minutes later', async () => {
  const { cluster, signer, open } = await start()
  const { verifier, clock, way } = open()
  const leaked = await tokenOf(cluster)
  expect(await codesOf(verifier, [leaked])).toEqual(['ok'])

  await signer.deleteRing()
  await until(
    () => publishedBy(cluster),
    (kids) => !kids.includes(kidOf(leaked)),
  )
  expect(await codesOf(verifier, [leaked])).toEqual(['ok'])
  clock.ms += TEN_MINUTES_MS
  expect(await codesOf(verifier, [leaked, await tokenOf(cluster)])).toEqual(['KEY_UNKNOWN', 'ok'])
  expect(way.fetches).toBe(2)
})

test('while the keys are away known keys stay good, and an unknown key is neither good nor bad', async () => {
  const { cluster, signer, open } = await start()
  const { verifier, clock, way } = open()
  const [token, stranger] = [await tokenOf(cluster), await signer.sign({}, { kid: 'unknown' })]
  expect(await codesOf(verifier, [token])).toEqual(['ok'])

  await cluster.nginx.kill()
  clock.ms += DAY_MS
  expect(await codesOf(verifier, times(50, token))).toEqual(times(50, 'ok'))
  for (const each of times(50, token)) expect(await codesOf(verifier, [each])).toEqual(['ok'])
  expect(await codesOf(verifier, times(50, stranger))).toEqual(times(50, 'KEYS_UNREACHABLE'))
  expect(way.fetches).toBe(2)

  clock.ms += PAUSE_MS
  expect(await codesOf(verifier, [...times(50, token), ...times(50, stranger)])).toEqual([
    ...times(50, 'ok'),
    ...times(50, 'KEYS_UNREACHABLE'),
  ])
  expect(way.fetches).toBe(3)
})

test('a backend that starts before Saoma verifies as soon as the keys are there', async () => {
  const { cluster, open } = await start()
  const { verifier, clock, way } = open()
  const token = await tokenOf(cluster)
  await cluster.nginx.kill()
  for (const each of times(20, token)) expect(await codesOf(verifier, [each])).toEqual(['KEYS_UNREACHABLE'])
  expect(way.fetches).toBe(1)

  await cluster.nginx.restart()
  clock.ms += PAUSE_MS
  expect(await codesOf(verifier, [token])).toEqual(['ok'])
  expect(way.fetches).toBe(2)
})
