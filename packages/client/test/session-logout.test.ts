import type { TokenSet } from '@saoma/protocol'
import { HASHED_TOKEN } from '@saoma/protocol'
import { confirm, createTicket, phoneToken, redeem, request, scan, until } from '@saoma/testing'
import { createMemoryStorage } from '../src/core/storage.ts'
import { createLocks, prepareTabs, refused, said } from './tabs.ts'

const { open, logIn, useRefreshToken, origin } = prepareTabs()

/**
 * A refresh that the server has granted stays on its way to us until it is released, or aborted. `deaf` does
 * not hear that it is aborted.
 */
const holding = ({ deaf = false } = {}) => {
  const granted = Promise.withResolvers<TokenSet>()
  const release = Promise.withResolvers<void>()
  const aborted = Promise.withResolvers<{ name: string }>()
  const revoked: string[] = []
  const revokedAgain = Promise.withResolvers<void>()
  const holdingFetch: typeof fetch = async (input, init) => {
    const sent = new URLSearchParams(String(init?.body))
    const response = await fetch(input, init)
    if (String(input).endsWith('/revocation') && revoked.push(sent.get('token') ?? '') === 2) revokedAgain.resolve()
    if (sent.get('grant_type') !== 'refresh_token') return response
    const body: TokenSet = await response.json()
    granted.resolve(body)
    init?.signal?.addEventListener('abort', () => {
      aborted.resolve(init.signal?.reason)
      if (!deaf) release.reject(init.signal?.reason)
    })
    await release.promise
    return Response.json(body)
  }
  return {
    fetch: holdingFetch,
    granted: granted.promise,
    release: release.resolve,
    aborted: aborted.promise,
    revoked,
    revokedAgain: revokedAgain.promise,
  }
}

test('a logout aborts a refresh under way, and what the server granted is worthless', async () => {
  const { fetch, granted, aborted } = holding()
  const storage = createMemoryStorage()
  const session = open({ fetch, storage })
  session.adopt(await logIn())
  const events = said(session)
  const refreshed = session.refresh()
  const fresh = await granted
  await session.logout()
  expect(await aborted).toMatchObject({ name: 'AbortError' }) // And not the TimeoutError of a request left alone.
  expect(await refreshed).toMatchObject({ ok: false, react: 'reauth' })
  expect(events).toEqual(['logout'])
  expect(session.tokens).toBeUndefined()
  expect(open({ storage }).tokens).toBeUndefined()
  expect(await useRefreshToken(fresh)).toMatchObject(refused)
})

test('tokens that arrive after the logout are revoked and not used', async () => {
  const { fetch, granted, release, revoked, revokedAgain } = holding({ deaf: true })
  const storage = createMemoryStorage()
  const session = open({ fetch, storage })
  const tokens = await logIn()
  session.adopt(tokens)
  const events = said(session)
  const refreshed = session.refresh()
  const fresh = await granted
  await session.logout()
  release()
  expect(await refreshed).toMatchObject({ ok: false, react: 'reauth' })
  expect(events).toEqual(['logout'])
  expect(open({ storage }).tokens).toBeUndefined()
  await revokedAgain
  expect(revoked).toEqual([tokens.refresh_token, fresh.refresh_token])
})

test('a refresh in one tab does not undo a logout in another', async () => {
  const { fetch, granted, release } = holding()
  const shared = { storage: createMemoryStorage(), locks: createLocks() }
  open(shared).adopt(await logIn())
  const [refreshing, leaving] = [open({ ...shared, fetch }), open(shared)]
  const events = said(refreshing)
  const refreshed = refreshing.refresh()
  await granted
  await leaving.logout()
  release()
  expect(await refreshed).toMatchObject({ ok: false, react: 'reauth' })
  expect(events).toEqual(['elsewhere'])
  expect(open(shared).tokens).toBeUndefined()
})

test('a session without a refresh token ends on the server, with its access token', async () => {
  const at = origin()
  const { ticket, device_code: code } = await createTicket(at, { form: { client_id: 'web', scope: 'openid profile' } })
  const phone = await phoneToken(at, 'Somebody')
  await scan(at, ticket, phone)
  await confirm(at, ticket, phone)
  const { body: tokens } = await redeem(at, code)
  const session = open({ storage: createMemoryStorage() })
  session.adopt(tokens)
  expect(tokens.refresh_token).toBeUndefined()
  expect(await session.logout()).toEqual({ ended: true })
  expect(await request(`${at}/v1/sessions`, { bearer: tokens.access_token })).toMatchObject({ status: 401 })
})

test('a login during the previous session’s refresh stays', async () => {
  const { fetch, granted, release } = holding({ deaf: true })
  const session = open({ fetch })
  session.adopt(await logIn())
  const refreshed = session.refresh()
  await granted
  await session.logout()
  const next = await logIn()
  session.adopt(next)
  release()
  expect(await refreshed).toEqual({ ok: true, value: next.access_token })
  expect(session.tokens).toEqual(next)
})

/**
 * A network that loses what is said of logouts until it is mended, and a storage whose contents can be read.
 */
const lossy = () => {
  let isMended = false
  let isOld = false
  const tries: string[] = []
  const lossyFetch: typeof fetch = async (input, init) => {
    if (String(input).endsWith('/revocation')) {
      tries.push(new URLSearchParams(String(init?.body)).get('token') ?? '')
      // As a node does that takes a hash for a token it never gave out.
      if (isOld) return new Response(null, { status: 200 })
      if (!isMended) return new Response(null, { status: 503 })
    }
    return fetch(input, init)
  }
  const values = new Map<string, string>()
  return {
    fetch: lossyFetch,
    tries,
    mend: () => {
      isMended = true
      isOld = false
    },
    setBack: () => {
      isOld = true
    },
    values,
    storage: {
      getItem: (key: string) => values.get(key) ?? null,
      setItem: (key: string, value: string) => void values.set(key, value),
      removeItem: (key: string) => void values.delete(key),
    },
  }
}
/** The revocation endpoint is not asked more often than this by a test that has no patience. */
const random = () => 0.01

test('a logout that did not reach the server reports so and is repeated until it does', async () => {
  const { fetch, storage, values, tries, mend } = lossy()
  const session = open({ fetch, storage, random })
  const tokens = await logIn()
  session.adopt(tokens)
  expect(await session.logout()).toEqual({ ended: false })
  expect(session.tokens).toBeUndefined()
  mend()
  await until(
    async () => tries.length > 1 && values.size === 0,
    (isTold) => isTold,
  )
  // With what a server of any version knows.
  expect(new Set(tries)).toEqual(new Set([tokens.refresh_token]))
  expect(await useRefreshToken(tokens)).toMatchObject(refused)
  session.adopt(await logIn())
  expect(await session.logout()).toEqual({ ended: true })
  expect(await session.logout()).toEqual({ ended: true })
})

// The value kept for that is not a token.
test('an unreported logout survives a reload and ends only that session', async () => {
  const { fetch, storage, values, tries, mend } = lossy()
  const session = open({ fetch, storage, random: () => 1 })
  const [tokens, other] = [await logIn(), await logIn()]
  session.adopt(tokens)
  expect(await session.logout()).toEqual({ ended: false })
  await until(
    async () => values.size,
    (size) => size === 1,
  )
  session.close()
  const all = [...values.values()].join()
  for (const secret of [tokens.refresh_token, tokens.access_token, tokens.id_token]) expect(all).not.toContain(secret)
  const [{ token }] = JSON.parse(all) as [{ token: string }]
  expect(token.startsWith(HASHED_TOKEN)).toBe(true)
  // Nobody gets in with it.
  expect(await useRefreshToken({ ...tokens, refresh_token: token })).toMatchObject(refused)
  expect(
    (await globalThis.fetch(`${origin()}/v1/sessions`, { headers: { authorization: `Bearer ${token}` } })).status,
  ).toBe(401)

  mend()
  open({ fetch, storage, random })
  await until(
    async () => values.size,
    (size) => size === 0,
  )
  expect(tries.at(-1)).toBe(token)
  expect(await useRefreshToken(tokens)).toMatchObject(refused)
  expect((await useRefreshToken(other)).status).toBe(200)
})

test('a logout is repeated if the server took the hash for an unknown token', async () => {
  const { fetch, storage, values, tries, setBack, mend } = lossy()
  const session = open({ fetch, storage, random: () => 1 })
  const tokens = await logIn()
  session.adopt(tokens)
  await session.logout()
  await until(
    async () => values.size,
    (size) => size === 1,
  )
  session.close()

  setBack()
  const before = tries.length
  open({ fetch, storage, random })
  await until(
    async () => tries.length,
    (count) => count > before + 1,
  )
  expect(tries.at(-1)).toMatch(/^sha256~/)
  expect(values.size).toBe(1)
  mend()
  await until(
    async () => values.size,
    (size) => size === 0,
  )
  expect(await useRefreshToken(tokens)).toMatchObject(refused)
})
