import { browserStorage, createMemoryStorage } from '../src/core/storage.ts'
import type { SessionOptions } from '../src/session/session.ts'
import { prepareTabs, said } from './tabs.ts'

const { open, logIn } = prepareTabs()

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
  'with a storage that is %s from the start, the login lasts as long as the page',
  async (is) => {
    const { storage, state } = failing()
    state.is = is
    const session = open({ storage })
    session.adopt(await logIn())
    const events = said(session)
    const first = await session.refresh()
    expect(first).toMatchObject({ ok: true })
    const second = await session.refresh()
    expect(second).toMatchObject({ ok: true })
    expect(second).not.toEqual(first)
    expect(second).toMatchObject({ value: session.tokens?.access_token })
    expect(events).toEqual(['changed', 'changed'])
    await session.logout()
    expect(session.tokens).toBeUndefined()
    expect(await session.refresh()).toMatchObject({ ok: false, react: 'reauth' })
  },
)

test.each(['full', 'blocked'] as const)('a storage that becomes %s returns no used refresh token', async (is) => {
  const { storage, state } = failing()
  const session = open({ storage })
  session.adopt(await logIn())
  state.is = is
  const events = said(session)
  const first = await session.refresh()
  expect(first).toMatchObject({ ok: true })
  const second = await session.refresh()
  expect(second).toMatchObject({ ok: true })
  expect(second).not.toEqual(first)
  expect(second).toMatchObject({ value: session.tokens?.access_token })
  expect(events).toEqual(['changed', 'changed'])
  await session.logout()
  expect(events).toEqual(['changed', 'changed', 'logout'])
  expect(await session.refresh()).toMatchObject({ ok: false, react: 'reauth' })
})

test('a full storage keeps no used refresh token, and a later login there is heard', async () => {
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

test.each(['sessionStorage', 'localStorage'] as const)(
  'outside a page a %s, which Node may have, is not shared',
  (kind) => {
    const [one, other] = [browserStorage(kind), browserStorage(kind)]
    one.setItem('saoma:test', 'mine')
    expect([one.getItem('saoma:test'), other.getItem('saoma:test')]).toEqual(['mine', null])
  },
)
