import { type Cluster, createTicket, launchBrowser, request, scan, startCluster, startGateway } from '@saoma/testing'
import QRCode from 'qrcode'

/*
 * What ties the address in a picture to the company's own app, through nginx: the files of Android and iOS,
 * the picture, and the page for a phone without the app.
 */

const PRINT = Array.from({ length: 32 }, (_, i) => (i + 160).toString(16).toUpperCase()).join(':')
const OTHER = PRINT.split(':').reverse().join(':')
const PLAY = 'https://play.google.com/store/apps/details?id=com.acme.app'
const STORE = 'https://apps.apple.com/cn/app/acme/id1234567890'
const OWN_PLACE = 'https://acme.example/app.apk'
const ISSUERS = JSON.stringify([
  { name: 'acme', issuer: 'https://login.acme.example', jwks_uri: 'http://127.0.0.1:9/jwks', audience: 'saoma' },
])
const ANDROID =
  'Mozilla/5.0 (Linux; Android 16; Pixel 10) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/143.0.0.0 Mobile Safari/537.36'
const IPHONE =
  'Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/19.0 Mobile/15E148 Safari/604.1'

let cluster: Cluster
let browser: Awaited<ReturnType<typeof launchBrowser>>
beforeAll(async () => {
  cluster = await startCluster({
    nodes: 1,
    env: {
      ...{ SAOMA_DEMO: 'false', SAOMA_APP_NAME: 'Acme <Bank>', SAOMA_PHONE_ISSUERS: ISSUERS },
      SAOMA_ANDROID_APPS: `com.acme.app ${PRINT.toLowerCase()} ${OTHER}; com.acme.beta ${PRINT}`,
      SAOMA_IOS_APPS: 'A1B2C3D4E5.com.acme.app, A1B2C3D4E5.com.acme.beta',
      SAOMA_APP_INSTALL: `${STORE} ${PLAY} ${OWN_PLACE}`,
    },
  })
  browser = await launchBrowser()
}, 90_000)
afterAll(() => cluster.stop())

const get = (path: string, headers: Record<string, string> = {}) =>
  fetch(`${cluster.origin}${path}`, { redirect: 'manual', headers })

test('Android and iOS get their files at once, as JSON and without a charset', async () => {
  const files = {
    '/.well-known/assetlinks.json': [
      {
        relation: ['delegate_permission/common.handle_all_urls'],
        target: {
          namespace: 'android_app',
          package_name: 'com.acme.app',
          sha256_cert_fingerprints: [PRINT, OTHER],
        },
      },
      {
        relation: ['delegate_permission/common.handle_all_urls'],
        target: { namespace: 'android_app', package_name: 'com.acme.beta', sha256_cert_fingerprints: [PRINT] },
      },
    ],
    '/.well-known/apple-app-site-association': {
      applinks: {
        details: [{ appIDs: ['A1B2C3D4E5.com.acme.app', 'A1B2C3D4E5.com.acme.beta'], components: [{ '/': '/l/*' }] }],
      },
    },
  }
  for (const [path, content] of Object.entries(files)) {
    // Neither system says who it is, or what it takes.
    const answer = await get(path, { accept: '*/*' })
    expect([answer.status, answer.headers.get('content-type')]).toEqual([200, 'application/json'])
    expect(await answer.json()).toEqual(content)
    const head = await fetch(`${cluster.origin}${path}`, { method: 'HEAD' })
    expect([head.status, head.headers.get('content-type')]).toEqual([200, 'application/json'])
  }
})

test('nobody is sent to a phone page for typed codes: the app has its own place', async () => {
  const link = await request(`${cluster.origin}/v1/link`)
  expect(link).toMatchObject({ status: 404, body: { code: 'NOT_FOUND' } })
})

/** A picture of an address, by the library that draws pictures: the same text has the same bytes. */
const pictureOf = (address: string) =>
  QRCode.toBuffer(address, { errorCorrectionLevel: 'M', margin: 4, width: 430 }).then((bytes) =>
    bytes.toString('base64'),
  )
const picture = async (ticket: string, query = '') => {
  const answer = await get(`/v1/tickets/${ticket}/qr${query}`, { accept: 'image/png' })
  expect([answer.status, answer.headers.get('x-saoma-code')]).toEqual([200, 'plain'])
  return Buffer.from(await answer.arrayBuffer()).toString('base64')
}

test('a picture opens the app, or what the page asks for', async () => {
  const { ticket, verification_uri, verification_uri_complete, device_code } = await createTicket(cluster.origin)
  const toApp = await pictureOf(`${cluster.origin}/l/${ticket}`)
  expect([await picture(ticket), await picture(ticket, '?opens=app')]).toEqual([toApp, toApp])
  expect(await picture(ticket, '?opens=phone')).toBe(await pictureOf(`${cluster.origin}/phone?ticket=${ticket}`))
  for (const opens of ['opens=door', 'opens=app&opens=phone', 'opens='])
    expect((await get(`/v1/tickets/${ticket}/qr?${opens}`)).status).toBe(422)
  expect(verification_uri_complete).toBe(`${cluster.origin}/l/${ticket}`)
  const link = await request(`${cluster.origin}/v1/tickets/${ticket}/link`, { method: 'POST', bearer: device_code })
  expect(link.body).toMatchObject({ url: `${cluster.origin}/l/${ticket}` })
  // Somebody types the address of RFC 8628 by hand, or an older program shows it.
  for (const address of [verification_uri, `${verification_uri}?ticket=${ticket}`])
    expect(await (await fetch(address)).text()).toContain('Acme')
})

test('without the app a page says what to do, in the language of the phone', async () => {
  const { ticket } = await createTicket(cluster.origin)
  const read = async (headers: Record<string, string>, query = '') =>
    (await get(`/l/${ticket}${query}`, headers)).text()
  const english = await read({ 'accept-language': 'fr, en;q=0.5', 'user-agent': IPHONE })
  expect(english).toContain('<html lang="en">')
  expect(english).toContain('Log in with the Acme &lt;Bank&gt; app')
  expect(english).not.toContain('<Bank>')
  expect(english).toContain(
    `<meta name="apple-itunes-app" content="app-id=1234567890, app-argument=${cluster.origin}/l/${ticket}">`,
  )
  expect(english).not.toContain('intent:')
  const chinese = await read({ 'accept-language': 'zh-CN,zh;q=0.9,en;q=0.8', 'user-agent': ANDROID })
  expect(chinese).toContain('<html lang="zh-CN">')
  expect(chinese).toContain('用Acme &lt;Bank&gt; App 登录')
  const { host } = new URL(cluster.origin)
  expect(chinese).toContain(
    `intent://${host}/l/${ticket}#Intent;scheme=https;package=com.acme.app;S.browser_fallback_url=${encodeURIComponent(PLAY)};end`,
  )
  expect(await read({ 'accept-language': 'zh' }, '?lang=en')).toContain('<html lang="en">')
  const inWechat = await read({ 'user-agent': `${ANDROID} MicroMessenger/8.0.60`, 'accept-language': 'zh' })
  expect(inWechat).toContain('微信不能打开其他 App')
  expect(inWechat).not.toContain('intent:')
  // The code is not scanned by looking at it: link previews of messengers do that.
  expect((await scan(cluster.origin, ticket, 'nobody')).status).toBe(401)
  const state = await request(`${cluster.origin}/v1/tickets/${ticket}/qr`)
  expect(state.status).toBe(200)
})

test('the page runs nothing, is framed by nobody, and tells nobody the ticket', async () => {
  const { headers } = await get(`/l/${'A'.repeat(22)}`)
  expect(headers.get('content-security-policy')).toMatch(
    /^default-src 'none'; style-src 'sha256-[A-Za-z0-9+/=]+'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'$/,
  )
  expect([headers.get('x-frame-options'), headers.get('referrer-policy')]).toEqual(['DENY', 'no-referrer'])
  expect(headers.get('cache-control')).toBe('no-cache')
  for (const path of ['/l/', '/l/short', `/l/${'A'.repeat(23)}`, `/l/${'A'.repeat(22)}/x`, '/L/'])
    expect((await get(path)).status).toBe(404)
  expect((await fetch(`${cluster.origin}/l/${'A'.repeat(22)}`, { method: 'POST' })).status).toBe(405)
})

test.each([
  ['en-US', 320, 'light'],
  ['en-US', 390, 'dark'],
  ['zh-CN', 320, 'dark'],
  ['zh-CN', 390, 'light'],
] as const)('it looks right on a phone: %s, %i px, %s', async (locale, width, colorScheme) => {
  const context = await browser.newContext({
    ...{ viewport: { width, height: 780 }, locale, colorScheme, userAgent: ANDROID, hasTouch: true },
  })
  const page = await context.newPage()
  const complaints: string[] = []
  page.on('console', (message) => complaints.push(message.text()))
  page.on('pageerror', (error) => complaints.push(error.message))
  await page.goto(`${cluster.origin}/l/${'A'.repeat(22)}`)
  // The browser asks for an icon by itself, which the policy forbids without harm.
  expect(complaints.filter((text) => !text.includes('favicon'))).toEqual([])
  const measured = await page.evaluate(() => ({
    overflow: document.documentElement.scrollWidth - document.documentElement.clientWidth,
    ground: getComputedStyle(document.body).backgroundColor,
    buttons: [...document.querySelectorAll('a.button')].map((one) => {
      const { left, right, height } = one.getBoundingClientRect()
      return { fits: left >= 0 && right <= innerWidth, high: height >= 44 }
    }),
  }))
  expect(measured.overflow).toBe(0)
  expect(measured.ground).toBe(colorScheme === 'dark' ? 'rgb(15, 22, 19)' : 'rgb(243, 246, 244)')
  expect(measured.buttons).toHaveLength(4)
  for (const button of measured.buttons) expect(button).toEqual({ fits: true, high: true })
  if (process.env.SCREENSHOTS)
    await page.screenshot({
      path: `${process.env.SCREENSHOTS}/app-${locale}-${width}-${colorScheme}.png`,
      fullPage: true,
    })
  await context.close()
})

test('a cluster without an app has none of it', async () => {
  const node = await startGateway({ redisUrl: cluster.redis.url, nodeId: 'none', origin: cluster.origin })
  const { ticket, verification_uri_complete } = await createTicket(node.origin)
  for (const path of [`/l/${ticket}`, '/.well-known/assetlinks.json', '/.well-known/apple-app-site-association'])
    expect((await request(`${node.origin}${path}`)).status).toBe(404)
  expect(verification_uri_complete).toBe(`${cluster.origin}/phone?ticket=${ticket}`)
  expect((await request(`${node.origin}/v1/tickets/${ticket}/qr?opens=app`)).status).toBe(404)
})
