import type { TokenSet } from '@saoma/protocol'
import { createMemoryStorage } from '../src/storage.ts'
import { createLocks, prepareTabs, refused, said } from './tabs.ts'

const { open, logIn, useRefreshToken } = prepareTabs()

/**
 * A refresh that the server has granted stays on its way to us until it is released, or aborted. `deaf` does not hear that it
 * is aborted.
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

test('logout during a refresh aborts it: nobody is logged in again, and what the server granted is worth nothing', async () => {
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

test('tokens that arrive after the logout are revoked and not adopted', async () => {
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

test('logout in one tab is not undone by the refresh of another', async () => {
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

test('a login during the refresh of the one before it stays', async () => {
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
