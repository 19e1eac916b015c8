/** @jest-environment jsdom */
import type { ActivityEntry } from '@saoma/protocol'
import type { ActivityScreen } from '../../src/logic/activity-screen.ts'
import { en } from '../../src/logic/words-en.ts'
import { zh } from '../../src/logic/words-zh.ts'
import { buildPackage, loadPage } from './stage.ts'

const open = loadPage<ActivityScreen>(buildPackage(), 'pages/activity/index', 'activity')
const words = zh.activity

const entry = (given: Partial<ActivityEntry> = {}): ActivityEntry => ({
  id: 'people-1:1-0',
  kind: 'login.redeemed',
  time: new Date().toISOString(),
  app: 'Shop',
  ip: '203.0.113.7',
  browser: 'Firefox 140',
  os: 'Windows',
  ...given,
})
const listed = (entries: readonly ActivityEntry[], given: Partial<ActivityScreen> = {}): ActivityScreen => ({
  status: 'listed',
  entries,
  hasMore: false,
  reading: false,
  reporting: '',
  reported: false,
  ...(given as object),
})

it('says one moment while nothing is known, and the reason if it stays so', async () => {
  const page = open({ screen: { status: 'loading' } })
  expect(page.text()).toBe(zh.loading)
  page.show({ status: 'failed', code: 'NETWORK' })
  expect(page.text()).toContain(zh.codes.NETWORK)
  await page.tap('.retry')
  expect(page.calls.at(-1)).toEqual(['refresh'])
  page.close()
})

it('lists what happened and where from, also what it has no words for', () => {
  const page = open({ screen: listed([entry(), entry({ id: '2', kind: 'moon.rose', app: '', ip: '', os: '' })]) })
  expect(page.count('.entry')).toBe(2)
  expect(page.text()).toContain(`${words.kinds['login.redeemed']}Shop · Firefox 140 · Windows · 203.0.113.7`)
  expect(page.text()).toContain(`${words.kinds.other}Firefox 140`)
  expect(page.count('.more')).toBe(0)
  page.close()
})

it('says so when nothing has happened', () => {
  const page = open({ screen: listed([]), language: 'en' })
  expect(page.text()).toContain(en.activity.empty)
  expect(page.calls).toContainEqual(['wx.setNavigationBarTitle', { title: en.activity.title }])
  page.close()
})

it('reads older entries on request, once at a time', async () => {
  const page = open({ screen: listed([entry()], { hasMore: true } as object) })
  await page.tap('.more')
  expect(page.calls.at(-1)).toEqual(['readMore'])
  page.show(listed([entry()], { hasMore: true, reading: true } as object))
  const asked = page.calls.length
  await page.tap('.more')
  expect(page.calls).toHaveLength(asked)
  page.show(listed([entry()], { error: 'NETWORK' } as object))
  expect(page.text('.error')).toBe(zh.codes.NETWORK)
  page.close()
})

it('reports a login that was somebody else, after a question, and once', async () => {
  const login = entry({ sid: 'one' })
  const page = open({ screen: listed([login, entry({ id: '2', kind: 'login.scanned' })]) })
  expect(page.count('.not-me')).toBe(1)
  await page.tap('.not-me')
  expect(page.text()).toContain(zh.devices.askNotMe)
  page.send('#sure', 'cancel', {})
  expect(page.calls.filter(([name]) => name === 'report')).toEqual([])
  await page.tap('.not-me')
  page.send('#sure', 'confirm', {})
  expect(page.calls.at(-1)).toEqual(['report', 'one'])
  page.show(listed([entry({ id: '3', kind: 'login.reported', sid: 'one' }), login], { reported: true } as object))
  expect(page.text('.said')).toBe(zh.devices.reported)
  expect(page.text()).toContain(words.kinds['login.reported'])
  expect(page.count('.not-me')).toBe(0)
  page.close()
})
