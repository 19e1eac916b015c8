import type { TokenSet } from '@saoma/protocol'
import {
  type Cluster,
  confirm,
  createTicket,
  onCleanup,
  phoneToken,
  redeem,
  request,
  scan,
  startCluster,
} from '@saoma/testing'
import { createSession, type SessionEvents, type SessionOptions } from '../src/session.ts'
import { createMemoryStorage } from '../src/storage.ts'
import { heard } from './heard.ts'

let cluster: Cluster
let phone: string

beforeAll(async () => {
  cluster = await startCluster({ nodes: 2 })
  phone = await phoneToken(cluster.origin, '韩梅梅')
})

const logIn = async (): Promise<TokenSet> => {
  const { device_code, ticket } = await createTicket(cluster.origin)
  await scan(cluster.origin, ticket, phone)
  await confirm(cluster.origin, ticket, phone)
  return (await redeem(cluster.origin, device_code)).body
}

/** Locks as the browser has them, for pages of this process. */
const createLocks = (): NonNullable<SessionOptions['locks']> => {
  let last: Promise<unknown> = Promise.resolve()
  return {
    request: (_name: string, ...rest: unknown[]) => {
      const run = rest.at(-1) as () => unknown
      const mine = last.then(run)
      last = mine.catch(() => {})
      return mine
    },
  } as NonNullable<SessionOptions['locks']>
}

const open = (options: Partial<SessionOptions> = {}) => {
  const session = createSession({
    origin: cluster.origin,
    storage: createMemoryStorage(),
    locks: createLocks(),
    ...options,
  })
  onCleanup(() => session.close())
  return session
}

/** Counts refreshes, and lets the tokens look as if they were about to end. */
const counting = () => {
  const counter = { refreshes: 0 }
  const countingFetch: typeof fetch = (input, init) => {
    if (String(init?.body).includes('grant_type=refresh_token')) counter.refreshes++
    return fetch(input, init)
  }
  return { counter, fetch: countingFetch }
}

/** A refresh that the server has granted stays on its way to us until it is released. `deaf` does not hear that it is aborted. */
const holding = ({ deaf = false } = {}) => {
  const granted = Promise.withResolvers<TokenSet>()
  const release = Promise.withResolvers<void>()
  const revoked: string[] = []
  const revokedAgain = Promise.withResolvers<void>()
  const holdingFetch: typeof fetch = async (input, init) => {
    const body = new URLSearchParams(String(init?.body))
    const response = await fetch(input, init)
    if (String(input).endsWith('/revocation') && revoked.push(body.get('token') ?? '') === 2) revokedAgain.resolve()
    if (body.get('grant_type') !== 'refresh_token') return response
    granted.resolve(await response.clone().json())
    const aborted = new Promise<never>((_, reject) => {
      init?.signal?.addEventListener('abort', () => reject(init.signal?.reason))
    })
    await Promise.race(deaf ? [release.promise] : [release.promise, aborted])
    return deaf ? Response.json(await granted.promise) : response
  }
  return {
    fetch: holdingFetch,
    granted: granted.promise,
    release: release.resolve,
    revoked,
    revokedAgain: revokedAgain.promise,
  }
}

/** Everything the session says from now on. */
const said = (session: ReturnType<typeof open>): string[] => {
  const events: string[] = []
  session.on('changed', () => events.push('changed'))
  session.on('ended', ({ reason }) => events.push(reason))
  return events
}

const refused = { status: 400, body: { error: 'invalid_grant' } }

const useRefreshToken = ({ refresh_token = '' }: TokenSet) =>
  request(`${cluster.origin}/oidc/token`, {
    form: { grant_type: 'refresh_token', refresh_token, client_id: 'web' },
  })

const ending = (tokens: TokenSet): TokenSet => ({ ...tokens, expires_in: 5 })

test('it knows who is logged in, and gives the token while it is good', async () => {
  const session = open()
  const tokens = await logIn()
  session.adopt(tokens)
  expect(session.claims).toMatchObject({ name: '韩梅梅', sub: expect.any(String), sid: expect.any(String) })
  expect(await session.accessToken()).toEqual({ ok: true, value: tokens.access_token })
})

test('a token about to end is refreshed first, and the new one is good for the server', async () => {
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

test('after logout there is nothing here, and the refresh token is worth nothing there', async () => {
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

test('a session that the server has ended ends here at the next refresh', async () => {
  const session = open()
  const tokens = await logIn()
  session.adopt(ending(tokens))
  const form = { token: tokens.refresh_token ?? '', client_id: 'web' }
  await request(`${cluster.origin}/oidc/token/revocation`, { form })
  const ended = heard<SessionEvents>(session)('ended')
  expect(await session.accessToken()).toMatchObject({ ok: false, code: 'invalid_grant' })
  expect(await ended).toEqual({ reason: 'refused' })
})

test('refreshing ahead may fail: the token is given as long as it holds', async () => {
  const session = open({ fetch: () => Promise.reject(new TypeError('no route')), random: () => 0 })
  const tokens = await logIn()
  session.adopt({ ...tokens, expires_in: 20 })
  expect(await session.accessToken()).toEqual({ ok: true, value: tokens.access_token })
  session.adopt({ ...tokens, expires_in: 0 })
  expect(await session.accessToken()).toMatchObject({ ok: false, code: 'NETWORK', react: 'retry' })
})

test('logout during a refresh aborts it: nobody is logged in again, and what the server granted is worth nothing', async () => {
  const { fetch, granted } = holding()
  const storage = createMemoryStorage()
  const session = open({ fetch, storage })
  session.adopt(await logIn())
  const events = said(session)
  const refreshed = session.refresh()
  const fresh = await granted
  await session.logout()
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

/** A storage that can be filled up or blocked while it is in use. */
const failing = () => {
  const kept = createMemoryStorage()
  const state: { is: 'open' | 'full' | 'blocked' } = { is: 'open' }
  const refuseWhen = (...when: (typeof state.is)[]) => {
    if (when.includes(state.is)) throw new DOMException('refused', 'QuotaExceededError')
  }
  const storage: NonNullable<SessionOptions['storage']> = {
    getItem: (key) => {
      refuseWhen('blocked')
      return kept.getItem(key)
    },
    setItem: (key, value) => {
      refuseWhen('full', 'blocked')
      kept.setItem(key, value)
    },
    removeItem: (key) => {
      refuseWhen('blocked')
      kept.removeItem(key)
    },
  }
  return { storage, state }
}

test.each(['full', 'blocked'] as const)(
  'a storage that is %s from the start: the login lasts as long as the page',
  async (is) => {
    const { storage, state } = failing()
    state.is = is
    const session = open({ storage })
    session.adopt(await logIn())
    const events = said(session)
    expect(await session.refresh()).toMatchObject({ ok: true })
    expect(await session.refresh()).toMatchObject({ ok: true })
    expect(events).toEqual(['changed', 'changed'])
    await session.logout()
    expect(session.tokens).toBeUndefined()
    expect(await session.refresh()).toMatchObject({ ok: false, react: 'reauth' })
  },
)

test.each(['full', 'blocked'] as const)(
  'a storage that becomes %s: no used refresh token comes back from it',
  async (is) => {
    const { storage, state } = failing()
    const session = open({ storage })
    session.adopt(await logIn())
    state.is = is
    const events = said(session)
    expect(await session.refresh()).toMatchObject({ ok: true })
    expect(await session.refresh()).toMatchObject({ ok: true })
    expect(events).toEqual(['changed', 'changed'])
    await session.logout()
    expect(events).toEqual(['changed', 'changed', 'logout'])
    expect(await session.refresh()).toMatchObject({ ok: false, react: 'reauth' })
  },
)

test('a full storage keeps no used refresh token for the next page, and a later login there is heard', async () => {
  const { storage, state } = failing()
  const session = open({ storage })
  session.adopt(await logIn())
  state.is = 'full'
  await session.refresh()
  const other = open({ storage })
  expect(other.tokens).toBeUndefined()
  state.is = 'open'
  const next = await logIn()
  other.adopt(next)
  expect(await session.refresh()).toEqual({ ok: true, value: next.access_token })
})
