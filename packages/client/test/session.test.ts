import type { TokenSet } from '@saoma/protocol'
import { request } from '@saoma/testing'
import { createMemoryStorage } from '../src/core/storage.ts'
import type { SessionEvents } from '../src/session/session.ts'
import { heard } from './heard.ts'
import { createLocks, prepareTabs, refused } from './tabs.ts'

const { open, logIn, useRefreshToken, origin } = prepareTabs()

/** Counts refreshes, and lets the tokens look as if they were about to end. */
const counting = () => {
  const counter = { refreshes: 0 }
  const countingFetch: typeof fetch = (input, init) => {
    if (String(init?.body).includes('grant_type=refresh_token')) counter.refreshes++
    return fetch(input, init)
  }
  return { counter, fetch: countingFetch }
}

const ending = (tokens: TokenSet): TokenSet => ({ ...tokens, expires_in: 5 })

test('it knows the user and gives the token while it is valid', async () => {
  const session = open()
  const tokens = await logIn()
  session.adopt(tokens)
  expect(session.claims).toMatchObject({ name: '韩梅梅', sub: expect.any(String), sid: expect.any(String) })
  expect(await session.accessToken()).toEqual({ ok: true, value: tokens.access_token })
})

test('a token about to end is refreshed first, and the server accepts the new one', async () => {
  const session = open()
  const tokens = await logIn()
  session.adopt(ending(tokens))
  const changed = heard<SessionEvents>(session)('changed')
  const fresh = await session.accessToken()
  expect(fresh).toMatchObject({ ok: true })
  expect(await changed).toMatchObject({ access_token: fresh.ok && fresh.value })
  expect(fresh.ok && fresh.value).not.toBe(tokens.access_token)
  expect(session.tokens?.refresh_token).not.toBe(tokens.refresh_token)
})

test('twenty callers in two tabs cause one refresh', async () => {
  const { counter, fetch } = counting()
  const shared = { storage: createMemoryStorage(), locks: createLocks(), fetch }
  open(shared).adopt(ending(await logIn()))
  const tabs = [open(shared), open(shared)]
  const answers = await Promise.all(Array.from({ length: 20 }, (_, i) => tabs[i % 2]?.accessToken()))
  expect(new Set(answers.map((answer) => answer?.ok && answer.value)).size).toBe(1)
  expect(answers[0]).toMatchObject({ ok: true })
  expect(counter.refreshes).toBe(1)
})

test('a session outlives the page that began it', async () => {
  const storage = createMemoryStorage()
  const tokens = await logIn()
  open({ storage }).adopt(tokens)
  const reopened = open({ storage })
  expect(reopened.claims?.name).toBe('韩梅梅')
  expect(await reopened.accessToken()).toEqual({ ok: true, value: tokens.access_token })
})

test('a page that closes during its refresh does not end the session', async () => {
  const granted = Promise.withResolvers<TokenSet>()
  const storage = createMemoryStorage()
  const page = open({
    storage,
    fetch: async (...asked) => {
      granted.resolve(await (await fetch(...asked)).json())
      return new Promise(() => {}) // Nobody is there any more to take the answer.
    },
  })
  page.adopt(await logIn())
  void page.refresh()
  const { refresh_token } = await granted.promise
  page.close()
  const reloaded = open({ storage })
  expect(await reloaded.refresh()).toMatchObject({ ok: true })
  expect(reloaded.tokens).toMatchObject({ refresh_token })
})

test('after logout nothing is stored, and the refresh token is worthless', async () => {
  const storage = createMemoryStorage()
  const session = open({ storage })
  const tokens = await logIn()
  session.adopt(tokens)
  const ended = heard<SessionEvents>(session)('ended')
  await session.logout()
  expect(await ended).toEqual({ reason: 'logout' })
  expect(session.tokens).toBeUndefined()
  expect(open({ storage }).tokens).toBeUndefined()
  expect(await session.accessToken()).toMatchObject({ ok: false, react: 'reauth' })
  expect(await useRefreshToken(tokens)).toMatchObject(refused)
})

test('a session that the server has ended ends at the next refresh', async () => {
  const session = open()
  const tokens = await logIn()
  session.adopt(ending(tokens))
  const form = { token: tokens.refresh_token ?? '', client_id: 'web' }
  await request(`${origin()}/oidc/token/revocation`, { form })
  const ended = heard<SessionEvents>(session)('ended')
  expect(await session.accessToken()).toMatchObject({ ok: false, code: 'invalid_grant' })
  expect(await ended).toEqual({ reason: 'refused' })
})

test('it asks who the person is, with a fresh token, and learns there of its end', async () => {
  const session = open()
  expect(await session.userinfo()).toMatchObject({ ok: false, code: 'UNAUTHORIZED' })
  session.adopt(ending(await logIn()))
  const { sub } = session.claims ?? {}
  expect(await session.userinfo()).toEqual({ ok: true, value: { sub, name: '韩梅梅' } })
  const ended = heard<SessionEvents>(session)('ended')
  await request(`${origin()}/v1/sessions`, { method: 'DELETE', bearer: session.tokens?.access_token ?? '' })
  expect(await session.userinfo()).toMatchObject({ ok: false, code: 'REVOKED' })
  expect(await ended).toEqual({ reason: 'revoked' })
  expect(session.tokens).toBeUndefined()
})

test('an early refresh may fail: the token is given as long as it is valid', async () => {
  const session = open({ fetch: () => Promise.reject(new TypeError('no route')), random: () => 0 })
  const tokens = await logIn()
  session.adopt({ ...tokens, expires_in: 20 })
  expect(await session.accessToken()).toEqual({ ok: true, value: tokens.access_token })
  session.adopt({ ...tokens, expires_in: 0 })
  expect(await session.accessToken()).toMatchObject({ ok: false, code: 'NETWORK', react: 'retry' })
})
