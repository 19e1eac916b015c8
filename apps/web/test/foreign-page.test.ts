import type { SaomaLogin } from '@saoma/client/element'
import {
  confirm,
  ensurePage,
  type HostedPage,
  launchBrowser,
  pageFolder,
  phoneToken,
  scan,
  startCluster,
  startHost,
} from '@saoma/testing'
import type { Browser } from './people.ts'

/*
 * The element in pages of other people: their policy, their framework, their column, their browser.
 */

/** Pages of a business, by path, on an origin that is allowed; the same on another that is not. */
const pages = new Map<string, HostedPage>()

type Page = Awaited<ReturnType<Browser['newPage']>>

let origin: string
let allowed: string
let strange: string
let browser: Browser

beforeAll(async () => {
  await ensurePage(() => {})
  ;[allowed, strange] = await Promise.all([startHost(pages), startHost(pages)])
  const env = { SAOMA_WEB_ROOT: pageFolder, SAOMA_ALLOWED_ORIGINS: allowed, SAOMA_LIMIT_CODES: '10000' }
  ;({ origin } = await startCluster({ nodes: 1, env }))
  browser = await launchBrowser()
}, 90_000)

let drawn = 0
/** A new person's browser at a page with this body. */
const open = async (body: string, { headers, prepare, at = allowed }: Given = {}): Promise<Page> => {
  const path = `/${++drawn}`
  pages.set(path, {
    body: `<!doctype html><html lang="en"><script type="module" src="${origin}/saoma-login.js"></script>${body}</html>`,
    ...(headers ? { headers } : {}),
  })
  const page = await (await browser.newContext({ locale: 'en-US' })).newPage()
  await prepare?.(page)
  await page.goto(`${at}${path}`)
  return page
}
interface Given {
  headers?: Record<string, string>
  prepare?: (page: Page) => Promise<unknown>
  at?: string
}
const element = () => `<saoma-login origin="${origin}"></saoma-login>`
const shown = (page: Page, n = 0) => page.locator('saoma-login').nth(n).locator('img')
const headline = (page: Page, text: string, n = 0) =>
  page.locator('saoma-login').nth(n).locator('.headline', { hasText: text }).waitFor()
const ticketOf = (page: Page, n = 0): Promise<string> =>
  page
    .locator('saoma-login')
    .nth(n)
    .evaluate((one: SaomaLogin) => ('ticket' in one.state ? one.state.ticket : ''))
const logIn = async (ticket: string) => {
  const phone = await phoneToken(origin, 'Somebody')
  await scan(origin, ticket, phone)
  await confirm(origin, ticket, phone)
}

test('the login works under a strict policy with Trusted Types, with the README’s settings', async () => {
  const policy = [
    "default-src 'none'",
    `script-src ${origin}`,
    `connect-src ${origin} ${origin.replace('http', 'ws')}`,
    'img-src data: blob:',
    "require-trusted-types-for 'script'",
    'trusted-types lit-html',
  ].join('; ')
  const problems: string[] = []
  const page = await open(element(), {
    headers: { 'content-security-policy': policy },
    prepare: async (one) => one.on('console', (line) => void (line.type() === 'error' && problems.push(line.text()))),
  })
  await shown(page).waitFor()
  await logIn(await ticketOf(page))
  await headline(page, 'You are logged in')
  // The browser asks by itself for an icon, which the policy has no word for.
  expect(problems.filter((text) => !text.includes('favicon'))).toEqual([])
})

test.each([
  ['the policy of the page forbids it', { policy: true }],
  ['a page came in its place', { status: 200, contentType: 'text/html', body: '<h1>Please accept our terms</h1>' }],
  ['nothing came', { status: 200, contentType: 'image/png', body: '' }],
])(
  'a picture that the browser cannot show is hidden, and the card says so: %s',
  async (_, { policy, ...answer }: Broken) => {
    const page = await open(
      `<script>window.told = 0; addEventListener('saoma-picture', () => told++)</script>${element()}`,
      {
        ...(policy ? { headers: { 'content-security-policy': "img-src 'self'" } } : {}),
        prepare: (one) =>
          one.route('**/qr', (route) =>
            policy ? route.continue() : route.fulfill({ headers: { 'access-control-allow-origin': '*' }, ...answer }),
          ),
      },
    )
    await headline(page, 'No picture to scan')
    await page.getByText('What came cannot be shown.').waitFor()
    expect(await page.evaluate('told')).toBe(0)
    await page.unroute('**/qr')
    await page.getByRole('button', { name: 'Load again' }).click()
    if (policy) return headline(page, 'No picture to scan')
    await shown(page).waitFor()
    expect(await page.evaluate('told')).toBe(1)
  },
)
interface Broken {
  policy?: boolean
  status?: number
  contentType?: string
  body?: string
}

// A framework sets properties after insertion.
test('properties set after insertion are used, and later changes begin a new login', async () => {
  const page = await open(`<script type="module">
    await customElements.whenDefined('saoma-login')
    const element = document.createElement('saoma-login')
    document.body.append(element)
    element.origin = '${origin}'
  </script>`)
  await shown(page).waitFor()
  const first = await ticketOf(page)
  await page.locator('saoma-login').evaluate((one) => one.setAttribute('client-id', 'login:nobody-at-all-here'))
  await page.locator('saoma-login').getByText('Reason').waitFor()
  await page.locator('saoma-login').evaluate((one) => one.removeAttribute('client-id'))
  await shown(page).waitFor()
  expect(await ticketOf(page)).toBe(first)
  // Taken out and put in again it goes on.
  await page.locator('saoma-login').evaluate((one) => {
    one.remove()
    document.body.append(one)
  })
  await shown(page).waitFor()
  expect(await ticketOf(page)).toBe(first)
})

test('two elements on a page have a code each, even after a reload, and both log in', async () => {
  const page = await open(element() + element())
  const both = async () => {
    await Promise.all([0, 1].map((n) => shown(page, n).waitFor()))
    return Promise.all([0, 1].map((n) => ticketOf(page, n)))
  }
  const before = await both()
  expect(new Set(before).size).toBe(2)
  await page.reload()
  expect(await both()).toEqual(before)
  for (const ticket of before) await logIn(ticket)
  for (const n of [0, 1]) await headline(page, 'You are logged in', n)
})

test('of a tab and its duplicate one logs in, and the other has a new code and no error', async () => {
  const page = await open(element())
  await shown(page).waitFor()
  const [duplicate] = await Promise.all([
    page.context().waitForEvent('page'),
    page.evaluate(() => void globalThis.open(location.href)),
  ])
  await shown(duplicate).waitFor()
  const ticket = await ticketOf(page)
  expect(await ticketOf(duplicate)).toBe(ticket)
  await logIn(ticket)
  const done = (one: Page) =>
    one.waitForFunction((before) => {
      const { state } = document.querySelector('saoma-login') as SaomaLogin
      return (
        state.status === 'done' ||
        state.status === 'failed' ||
        ('ticket' in state && state.ticket !== before && state.status)
      )
    }, ticket)
  const ends = await Promise.all([page, duplicate].map(async (one) => (await done(one)).jsonValue()))
  expect(ends.map(String).toSorted()).toEqual(['true', 'waiting'])
})

test.each([
  [
    'Safari before 17.4',
    ['AbortSignal.any', 'AbortSignal.timeout', 'Promise.withResolvers', 'Object.groupBy', 'URL.parse'],
  ],
  [
    'the oldest that are supported',
    [
      'AbortSignal.any',
      'AbortSignal.timeout',
      'Array.fromAsync',
      'Array.prototype.toSorted',
      'Array.prototype.toSpliced',
      'Array.prototype.with',
      'Array.prototype.findLast',
      'URL.canParse',
      'URL.parse',
      'structuredClone',
      'Set.prototype.union',
      'String.prototype.isWellFormed',
      'Promise.withResolvers',
      'Object.groupBy',
      'Iterator',
    ],
  ],
])('a browser without newer features logs in: %s', async (_, missing) => {
  const failures: string[] = []
  const page = await open(element(), {
    prepare: async (one) => {
      one.on('pageerror', ({ message }) => failures.push(message))
      // Playwright's own scripts in the page keep what they have taken before.
      await one.addInitScript((names) => {
        for (const name of names) {
          const path = name.split('.')
          const last = path.pop() ?? ''
          const owner = path.reduce<unknown>((object, key) => Reflect.get(Object(object), key), globalThis)
          if (owner) Reflect.deleteProperty(Object(owner), last)
        }
      }, missing)
    },
  })
  await shown(page).waitFor()
  await logIn(await ticketOf(page))
  await headline(page, 'You are logged in')
  expect(failures).toEqual([])
})

test('a browser in which something throws shows a message and a button', async () => {
  const page = await open(element(), {
    prepare: (one) => one.addInitScript(() => Reflect.deleteProperty(globalThis, 'AbortController')),
  })
  await headline(page, 'Something went wrong')
  await page.getByRole('button', { name: 'Try again' }).waitFor()
  expect(await page.locator('saoma-login .card.waiting').count()).toBe(0)
})

test('a person who waits long for a code sees a message and a button', async () => {
  let isSilent = true
  const page = await open(element(), {
    prepare: async (one) => {
      await one.clock.install()
      await one.route('**/oidc/device/auth', async (route) => {
        // No answer at all, as of a server that stands still.
        if (!isSilent) await route.continue()
      })
    },
  })
  await headline(page, 'Getting a code')
  expect(await page.getByRole('button').count()).toBe(0)
  await page.clock.runFor(11_000)
  await page.getByText('This takes longer than it should.').waitFor()
  isSilent = false
  await page.getByRole('button', { name: 'Try again' }).click()
  await page.clock.runFor(2_000)
  await shown(page).waitFor()
})

test('a page without permission names the setting to correct, on the card and in the console', async () => {
  const lines: string[] = []
  const page = await open(element(), {
    at: strange,
    prepare: async (one) => one.on('console', (line) => lines.push(line.text())),
  })
  await headline(page, 'SAOMA_ALLOWED_ORIGINS')
  const told = expect.stringContaining(`Saoma: SAOMA_ALLOWED_ORIGINS does not name ${strange}. If the page is yours`)
  expect(lines).toEqual(expect.arrayContaining([told]))
})

test('a person who has reloaded too often gets a new code by the button', async () => {
  const page = await open(element())
  await shown(page).waitFor()
  const first = await ticketOf(page)
  const again = page.getByRole('button', { name: 'Show a new code' })
  for (let i = 0; i < 8; i++) {
    await page.reload()
    await shown(page).or(again).first().waitFor()
  }
  await again.click()
  await shown(page).waitFor()
  expect(await ticketOf(page)).not.toBe(first)
})

test.each([
  ['a column of 200 px', 'width: 200px', '100%'],
  ['text of 200 %', 'width: 360px', '200%'],
  ['both', 'width: 200px', '200%'],
])('nothing is cut off or overflows the card in %s', async (_, style, size) => {
  const page = await open(
    `<style>html { font-size: ${size} } body { margin: 0 } div { ${style} }</style><div>${element()}</div>`,
  )
  const sticksOut = () =>
    page.locator('saoma-login').evaluate((one) => {
      const card = one.shadowRoot?.querySelector('.card') as HTMLElement
      const bounds = card.getBoundingClientRect()
      const column = (one.parentElement as HTMLElement).getBoundingClientRect()
      const range = document.createRange()
      const out = [...card.querySelectorAll('*')].filter((each) => {
        if (each.matches('.unseen, svg *')) return false
        range.selectNodeContents(each)
        const [box, text] = [each.getBoundingClientRect(), range.getBoundingClientRect()]
        return (each.childElementCount === 0 ? [box, text] : [box]).some(
          ({ left, right }) => left < bounds.left - 0.5 || right > bounds.right + 0.5,
        )
      })
      return [
        ...(bounds.right > column.right + 0.5 ? ['the card'] : []),
        ...out.map(({ tagName, className }) => `${tagName} ${className}`),
      ]
    })
  await shown(page).waitFor()
  expect(await sticksOut()).toEqual([])
  const phone = await phoneToken(origin, 'Somebody')
  const ticket = await ticketOf(page)
  await scan(origin, ticket, phone)
  await headline(page, 'Scanned')
  expect(await sticksOut()).toEqual([])
  await page.route('**/oidc/**', (route) => route.abort())
  await page.locator('saoma-login').evaluate((one: SaomaLogin) => one.renew())
  await headline(page, 'Getting a code')
  expect(await sticksOut()).toEqual([])
})
