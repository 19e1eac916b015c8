/** @jest-environment jsdom */
import type { MessagesScreen, Notice } from '../../src/logic/messages-screen.ts'
import { zh } from '../../src/logic/words-zh.ts'
import { buildPackage, loadPage } from './stage.ts'

const open = loadPage<MessagesScreen>(buildPackage(), 'pages/messages/index', 'messages')
const words = zh.messages

type Ready = Extract<MessagesScreen, { status: 'ready' }>
const ready = (notices: readonly Notice[], given: Partial<Ready> = {}): MessagesScreen => ({
  status: 'ready',
  connection: 'socket',
  notices,
  unread: notices.filter(({ isRead }) => !isRead).length,
  isLost: false,
  ...given,
})
const yesterday = new Date(2026, 0, 2, 3, 4).getTime()
const some = ready([
  { offset: 3, text: '<b>new</b>', time: Date.now(), isRead: false },
  { offset: 2, text: undefined, time: yesterday, isRead: true },
])
const badges = (calls: readonly unknown[][]) => calls.filter(([name]) => String(name).endsWith('TabBarBadge'))

it('shows the state of the connection while nothing has arrived', () => {
  const page = open({ screen: { status: 'loading', connection: 'connecting' } })
  expect(page.text()).toBe(zh.connections.connecting)
  page.close()
})

it('shows each message with its text, its time and whether it is new', () => {
  const page = open({ screen: some })
  expect(page.text()).toContain(`${words.isNew}<b>new</b>`)
  expect(page.text()).toContain(`${words.other}1/2 03:04`)
  expect(page.text('.count')).toBe('1 条未读')
  expect(page.count('.read')).toBe(1)
  page.close()
})

it.each([
  ['socket', '--success'],
  ['poll', '--success'],
  ['reconnecting', '--warning'],
  ['offline', '--warning'],
] as const)('shows the connection: %s', (connection, look) => {
  const page = open({ screen: ready([], { connection }) })
  expect(page.text()).toContain(zh.connections[connection])
  expect(page.dom.querySelector(`[class*="t-tag${look}"]`)).not.toBeNull()
  expect(page.text()).toContain(words.empty)
  page.close()
})

it('marks all messages as read, or those up to one', async () => {
  const page = open({ screen: some })
  await page.tap('.read')
  await page.tap('.read-all')
  expect(page.calls.filter(([name]) => name === 'markRead')).toEqual([['markRead', 3], ['markRead']])
  page.close()
})

it('offers nothing to mark when all is read', () => {
  const page = open({ screen: ready([{ offset: 1, text: 'old', time: yesterday, isRead: true }]) })
  expect(page.count('.read-all')).toBe(0)
  expect(page.text('.count')).toBe(words.unread.none)
  page.close()
})

it('shows the count on the tab and removes it', () => {
  const page = open({ screen: some })
  expect(badges(page.calls).at(-1)).toMatchObject(['wx.setTabBarBadge', { index: 1, text: '1' }])
  page.show(ready([], { unread: 250 }))
  expect(badges(page.calls).at(-1)).toMatchObject(['wx.setTabBarBadge', { index: 1, text: '99+' }])
  page.show(ready([]))
  expect(badges(page.calls).at(-1)).toMatchObject(['wx.removeTabBarBadge', { index: 1 }])
  page.close()
})

it('reports losses and failures', () => {
  const page = open({ screen: ready([], { isLost: true, error: 'NETWORK' }) })
  expect(page.text()).toContain(words.lost)
  expect(page.text('.error')).toBe(zh.codes.NETWORK)
  page.close()
})

it('shows why a connection ended and begins again on request', async () => {
  const page = open({ screen: { status: 'ended', code: 'REVOKED' } })
  expect(page.text()).toContain(words.ended)
  await page.tap('.reconnect')
  expect(page.calls.at(-1)).toEqual(['reconnect'])
  page.close()
})
