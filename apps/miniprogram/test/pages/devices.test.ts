/** @jest-environment jsdom */
import type { Device, DevicesScreen } from '../../src/logic/devices-screen.ts'
import { en } from '../../src/logic/words-en.ts'
import { zh } from '../../src/logic/words-zh.ts'
import { buildPackage, loadPage } from './stage.ts'

const open = loadPage<DevicesScreen>(
  buildPackage({ SAOMA_PAGE: 'pages/scan/confirm' }),
  'pages/devices/index',
  'devices',
)
const words = zh.devices

const device = (given: Partial<Device> = {}): Device => ({
  sid: 'one',
  client: 'web',
  app: 'Shop',
  ip: '203.0.113.7',
  browser: 'Firefox 140',
  os: 'Windows',
  since: new Date(Date.now() - 3 * 3_600_000).toISOString(),
  current: false,
  ending: false,
  ...given,
})
const listed = (devices: readonly Device[], given: { endingAll?: boolean; error?: string } = {}): DevicesScreen => ({
  status: 'listed',
  devices,
  refreshing: false,
  endingAll: false,
  ...given,
})
const two = listed([device(), device({ sid: 'two', app: 'Desk', os: '', browser: '', ip: '' })])
const acts = (calls: readonly unknown[][]) =>
  calls.filter(([name]) => name === 'end' || name === 'endAll' || name === 'report')
const refreshes = (calls: readonly unknown[][]) => calls.filter(([name]) => name === 'refresh').length

it('says one moment while nothing is known, and the reason if it stays so', async () => {
  const page = open({ screen: { status: 'loading' } })
  expect(page.text()).toBe(zh.loading)
  page.show({ status: 'failed', code: 'NETWORK' })
  expect(page.text()).toContain(zh.codes.NETWORK)
  await page.tap('.retry')
  expect(refreshes(page.calls)).toBe(1)
  page.close()
})

it('lists where the person is logged in and since when', () => {
  const page = open({ screen: two })
  expect(page.count('.app')).toBe(2)
  expect(page.text()).toContain('Firefox 140 · Windows · 203.0.113.7登录于 3 小时前')
  expect(page.text()).toContain(`${zh.unknown}登录于`)
  page.close()
})

// The link works wherever that page lies.
it('says so when there is no login, and still links to the code entry', async () => {
  const page = open({ screen: listed([]) })
  expect(page.text()).toContain(words.empty)
  expect(page.count('.end-all')).toBe(0)
  await page.tap('.login')
  expect(page.calls.at(-1)).toEqual(['wx.navigateTo', { url: '/pages/scan/confirm' }])
  page.close()
})

it('leads to what happened', async () => {
  const page = open({ screen: two })
  await page.tap('.activity')
  expect(page.calls.at(-1)).toEqual(['wx.navigateTo', { url: '/pages/activity/index' }])
  page.close()
})

it('ends one login only after a request and a confirmation', async () => {
  const page = open({ screen: two })
  await page.tap('.end')
  expect(acts(page.calls)).toEqual([])
  expect(page.text()).toContain(words.askEnd)
  expect(page.text()).toContain('Shop · Firefox 140')
  expect(page.text()).toContain(`${words.askHint}${zh.cancel}${words.end}`)
  page.send('#sure', 'cancel', {})
  expect(acts(page.calls)).toEqual([])
  page.send('#sure', 'confirm', {})
  expect(acts(page.calls)).toEqual([['end', 'one']])
  page.close()
})

it('reports a login as somebody else’s only after a question that says what follows', async () => {
  const page = open({ screen: two })
  await page.tap('.not-me')
  expect(acts(page.calls)).toEqual([])
  expect(page.text()).toContain(words.askNotMe)
  expect(page.text()).toContain('Shop · Firefox 140')
  expect(page.text()).toContain(`${words.askNotMeHint}${zh.cancel}${words.notMe}`)
  page.send('#sure', 'confirm', {})
  expect(acts(page.calls)).toEqual([['report', 'one']])
  page.close()
})

it('ends all logins only after a request and a confirmation', async () => {
  const page = open({ screen: two })
  await page.tap('.end-all')
  expect(acts(page.calls)).toEqual([])
  expect(page.text()).toContain(words.askEndAll)
  page.send('#sure', 'confirm', {})
  expect(acts(page.calls)).toEqual([['endAll']])
  page.close()
})

it('does not end an entry twice at the same time', async () => {
  const page = open({ screen: listed([device({ ending: true })], { endingAll: true, error: 'NETWORK' }) })
  await page.tap('.end')
  await page.tap('.end-all')
  expect(page.text()).not.toContain(words.askEnd)
  expect(acts(page.calls)).toEqual([])
  expect(page.text('.error')).toBe(zh.codes.NETWORK)
  page.close()
})

it('reads again when it comes to the front, except during its first read', () => {
  const page = open({ screen: { status: 'loading' } })
  expect(refreshes(page.calls)).toBe(0)
  page.show(two)
  page.rendered.triggerPageLifeTime('show')
  expect(refreshes(page.calls)).toBe(1)
  page.close()
})

it('names the tabs in the language of the phone', () => {
  const page = open({ screen: two, language: 'en' })
  const named = page.calls.flatMap(([name, argument]) => (name === 'wx.setTabBarItem' ? [argument] : []))
  expect(named).toMatchObject([{ text: en.tabs.devices }, { text: en.tabs.messages }, { text: en.tabs.table }])
  page.close()
})
