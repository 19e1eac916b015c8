import { createHash } from 'node:crypto'
import {
  attemptPhoneToken,
  type Cluster,
  confirm,
  createTicket,
  ensurePage,
  launchBrowser,
  pageFolder,
  request,
  scan,
  startCluster,
} from '@saoma/testing'
import { type Browser, card, createScreens, type Device, desktop, type Page, type Preparation } from './people.ts'

const handset: Device = {
  viewport: { width: 390, height: 844 },
  locale: 'en-US',
  isMobile: true,
  hasTouch: true,
  userAgent:
    'Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Mobile Safari/537.36',
}

let cluster: Cluster
let browser: Browser
const screens = createScreens(() => cluster.origin)

beforeAll(async () => {
  await ensurePage(() => {})
  cluster = await startCluster({ nodes: 2, simulator: true, env: { SAOMA_DEMO: 'false', SAOMA_WEB_ROOT: pageFolder } })
  browser = await launchBrowser()
}, 90_000)

afterEach(async () => {
  const complaints = await screens.leave()
  await fetch(`${cluster.simulator?.origin}/simulator/faults`, { method: 'DELETE' })
  expect(complaints).toEqual([])
})

const simulator = async <T>(path: string, json?: object) =>
  (await request<T>(`${cluster.simulator?.origin}/simulator${path}`, json ? { json } : {})).body
const linksMade = async () => (await simulator<{ links: number }>('/counters')).links

const open = (device: Device, prepare?: Preparation, path = '/') => screens.open(browser, path, device, prepare)

const button = (page: Page) => page.locator('saoma-login a')
const picture = (page: Page) => card(page, 'waiting').locator('img')

/** What WeChat opens when a person taps the address. */
const tap = async (url: string) => (await simulator<{ query: { scene: string } }>('/links/open', { url })).query.scene

/** The phone confirms, by the node that did not answer the page last or by any. */
const approve = async (ticket: string, person: string, node = 1) => {
  const { js_code } = await simulator<{ js_code: string }>('/login', { person })
  const origin = cluster.nodes[node]?.origin ?? ''
  const token = (await attemptPhoneToken(origin, js_code)).body.access_token
  await scan(origin, ticket, token)
  return () => confirm(origin, ticket, token)
}

/** The universal link of iOS: WeChat comes up over the page, which stays as it is. */
const wechatComesUp = (page: Page) => page.route('https://wxaurl.cn/**', (route) => route.fulfill({ status: 204 }))

/** Answers for the server that describes the picture. */
const describeAs = (page: Page, change: (described: Record<string, unknown>) => object) =>
  page.route('**/qr', async (route) => {
    const answer = await route.fetch()
    await route.fulfill({ response: answer, json: change(await answer.json()) })
  })

// They do not lead to the demo phone.
test('the address of a device login leads to a picture and to code entry', async () => {
  const asked = await createTicket(cluster.origin)
  const page = await (await browser.newContext({ locale: 'en-US', viewport: { width: 390, height: 844 } })).newPage()
  await page.goto(asked.verification_uri)
  await page.getByRole('heading', { name: 'Type the code' }).waitFor()
  expect(await page.getByRole('img').count()).toBe(0)
  // No phone: there is nothing to tap.
  expect(await page.getByRole('link', { name: 'Open the mini-program' }).count()).toBe(0)
  const onPhone = await open(handset, wechatComesUp, asked.verification_uri)
  const link = onPhone.getByRole('link', { name: 'Open the mini-program' })
  await link.waitFor()
  expect(await link.getAttribute('href')).toMatch(/^https:\/\/wxaurl\.cn\//)
  await page.goto(asked.verification_uri_complete)
  const picture = page.getByAltText('Code to scan with WeChat')
  await picture.waitFor()
  expect(await picture.evaluate((image: HTMLImageElement) => image.decode().then(() => image.naturalWidth > 100))).toBe(
    true,
  )
  expect(await page.locator('body').textContent()).not.toMatch(/demo phone|Who are you/i)
  await page.goto(`${asked.verification_uri}?ticket=${'A'.repeat(22)}`)
  await page.getByRole('heading', { name: 'This request is over' }).waitFor()
})

test('on a phone a tap opens WeChat for this code, and back on the page one is logged in', async () => {
  const page = await open(handset, wechatComesUp)
  await page.getByText('Tap the button, or scan the code with another phone').waitFor()
  await picture(page).waitFor()
  const tapped = page.waitForRequest('https://wxaurl.cn/**')
  await page.getByRole('link', { name: 'Open in WeChat' }).tap()
  const ticket = await tap((await tapped).url())
  const agree = await approve(ticket, 'li')
  await card(page, 'scanned').waitFor()
  expect(await button(page).count()).toBe(0)
  await agree()
  // WeChat gives no names.
  await page.getByRole('heading', { name: /^Hello, #[\w-]{4}$/ }).waitFor()
})

test('if WeChat’s page replaced ours, the way back leads into the login', async () => {
  const page = await open(handset, (page) =>
    page.route('https://wxaurl.cn/**', (route) => route.fulfill({ contentType: 'text/html', body: '<h1>WeChat</h1>' })),
  )
  await button(page).tap()
  await page.getByRole('heading', { name: 'WeChat' }).waitFor()
  const agree = await approve(await tap(page.url()), 'wang')
  await agree()
  await page.goBack()
  await page.getByRole('heading', { name: /^Hello/ }).waitFor()
  expect(new URL(page.url()).origin).toBe(cluster.origin)
})

test('a page that was away shows at once what happened meanwhile', async () => {
  const page = await open(handset)
  const ticket = await tap((await button(page).getAttribute('href')) ?? '')
  await page.context().setOffline(true)
  await page.getByText('You are offline').waitFor()
  await approve(ticket, 'zhao')
  await page.context().setOffline(false)
  await card(page, 'scanned').getByText('Scanned. Confirm on your phone').waitFor()
  expect(await card(page, 'waiting').count()).toBe(0)
})

test('a new code has a new button, and the old one cannot log this page in', async () => {
  const page = await open(handset)
  const first = (await button(page).getAttribute('href')) ?? ''
  await page.locator('saoma-login').evaluate((login) => (login as HTMLElement & { renew(): void }).renew())
  await page.locator(`saoma-login a:not([href="${first}"])`).waitFor()
  const second = (await button(page).getAttribute('href')) ?? ''
  expect(await tap(second)).not.toBe(await tap(first))
})

// An attribute decides otherwise.
test('a desktop shows the code without a button and requests no link from WeChat', async () => {
  const before = await linksMade()
  const page = await open(desktop)
  await page.getByText('Open WeChat, tap Scan, point it at the code').waitFor()
  expect([await button(page).count(), await linksMade()]).toEqual([0, before])
  const set = (value: string) =>
    page.locator('saoma-login').evaluate((login, value) => login.setAttribute('same-phone', value), value)
  await set('always')
  await page.getByRole('link', { name: 'Open in WeChat' }).waitFor()
  await set('never')
  await button(page).waitFor({ state: 'detached' })
  expect(await linksMade()).toBe(before + 1)
})

test('without a link the code can still be scanned', async () => {
  await simulator('/faults', { path: '/wxa/generate_urllink', kind: 'errcode', errcode: 40002 })
  let refused: Promise<{ status(): number }> | undefined
  const page = await open(handset, async (page) => {
    refused = page.waitForResponse(/\/link$/)
  })
  await picture(page).waitFor()
  expect((await refused)?.status()).toBe(502)
  await page.getByText('Open WeChat, tap Scan, point it at the code').waitFor()
  expect(await button(page).count()).toBe(0)
})

test('a code for any camera leads to the phone page, and on the phone it is a button', async () => {
  const page = await open(handset, (page) => describeAs(page, (described) => ({ ...described, code: 'plain' })))
  const link = page.getByRole('link', { name: 'Open the phone page' })
  expect(await link.getAttribute('href')).toContain('/phone?')
})

test.each([
  ['en-US', 'The phone that scans asks for this number'],
  ['zh-CN', '扫码的手机会要求输入这个数字'],
])('a number stands beside the code until it is scanned, then its place is empty (%s)', async (locale, sentence) => {
  const page = await open({ ...handset, locale }, (page) =>
    describeAs(page, (described) => ({ ...described, check: '47' })),
  )
  const number = page.locator('saoma-login .check')
  await number.waitFor()
  expect(await number.textContent()).toBe(`47 ${sentence}`)
  const place = await number.boundingBox()
  await approve(await tap((await button(page).getAttribute('href')) ?? ''), 'sun')
  await card(page, 'scanned').waitFor()
  expect(await number.isVisible()).toBe(false)
  expect(await number.boundingBox()).toEqual(place)
})

describe('a picture in another place', () => {
  const place = () => `${cluster.origin}/cdn/picture.jpg`
  /** Puts the picture that the server describes there; `changed` is what became of it. */
  const put = async (page: Page, changed?: (bytes: Buffer) => Buffer | undefined) => {
    const asked: string[] = []
    let bytes: Buffer | undefined
    await describeAs(page, (described) => {
      const image = Buffer.from(String(described.url).split(',')[1] ?? '', 'base64')
      bytes = changed ? changed(image) : image
      const integrity = `sha256-${createHash('sha256').update(image).digest('base64')}`
      return { ...described, url: place(), integrity }
    })
    await page.route('**/qr', (route) => {
      const { accept = '' } = route.request().headers()
      asked.push(accept)
      return accept.startsWith('application/json') ? route.fallback() : route.continue()
    })
    await page.route(place(), (route) =>
      bytes ? route.fulfill({ contentType: 'image/jpeg', body: bytes }) : route.fulfill({ status: 404 }),
    )
    return asked
  }

  test('is shown if it is unchanged', async () => {
    let asked: string[] = []
    const page = await open(desktop, async (page) => {
      asked = await put(page)
    })
    await picture(page).waitFor()
    expect(await picture(page).getAttribute('src')).toMatch(/^blob:/)
    expect(asked).toHaveLength(1)
  })

  test('is hidden if it was changed: the page says so and gets it from the server on request', async () => {
    const page = await open(desktop, (page) => put(page, (bytes) => Buffer.concat([bytes, Buffer.from('!')])))
    await page.getByText('The picture at this address was changed, so it is not shown.').waitFor()
    expect(await picture(page).count()).toBe(0)
    await page.getByRole('button', { name: 'Load again' }).click()
    await picture(page).waitFor()
  })

  test('comes from the server if it is missing there', async () => {
    let asked: string[] = []
    const page = await open(desktop, async (page) => {
      asked = await put(page, () => undefined)
    })
    await picture(page).waitFor()
    expect(asked).toEqual(['application/json, image/*;q=0.9', 'image/*'])
  })
})

test('a picture from a server that knows no description is shown', async () => {
  const page = await open(handset, (page) =>
    page.route('**/qr', (route) => route.continue({ headers: { ...route.request().headers(), accept: 'image/*' } })),
  )
  await picture(page).waitFor()
  await page.getByText('Open WeChat, tap Scan, point it at the code').waitFor()
  expect(await picture(page).evaluate((image) => (image as HTMLImageElement).naturalWidth)).toBeGreaterThan(0)
  expect(await button(page).count()).toBe(0)
})
