import { createHash } from 'node:crypto'
import { card, desktop, mobile, type Page, scanned } from './people.ts'
import { createStage } from './stage.ts'

/* A page and a phone that confirm by number and by network, as people see them. */

const VAULT = 'https://vault.example.com/callback'
const clients = JSON.stringify([
  {
    client_id: 'vault',
    client_name: 'Vault',
    type: 'public',
    party: 'first',
    redirect_uris: [VAULT],
    verify: 'network',
  },
])
/** The network of a phone that is on mobile data. */
const AWAY = { 'x-forwarded-for': '198.51.100.9' }

// A proxy on this machine says where a visitor comes from.
const stage = createStage({
  env: { SAOMA_CLIENTS: clients, SAOMA_VERIFY: 'number' },
  nginxEnv: { NGINX_TRUST: '127.0.0.0/8' },
})
const { open } = stage
const choose = (phone: Page) => phone.getByRole('button', { name: 'Han Meimei' }).click()

test('the person types the number of the page, and is told of a wrong one', async () => {
  const page = await open('/', desktop)
  const phone = await open(await scanned(page), mobile)
  expect(await page.locator('saoma-login .number').count()).toBe(0)
  await choose(phone)
  await card(page, 'scanned').waitFor()
  const number = (await page.locator('saoma-login .number').textContent()) ?? ''
  expect(number).toMatch(/^[1-9]\d$/)
  expect(await page.locator('saoma-login .headline').textContent()).toBe(`Scanned. Enter ${number} on your phone`)
  // A reload of the page does not lose it.
  await page.reload()
  await card(page, 'scanned').waitFor()
  expect(await page.locator('saoma-login .number').textContent()).toBe(number)
  // The phone knows the number only from the person.
  expect(await phone.content()).not.toContain(`>${number}<`)
  const field = phone.getByLabel('Number on the other screen')
  await phone.getByRole('button', { name: 'Confirm' }).click()
  await field.fill(number === '99' ? '98' : '99')
  await phone.getByRole('button', { name: 'Confirm' }).click()
  await phone.getByText('Tries left: 2.').waitFor()
  await field.fill(number)
  await field.press('Enter')
  await phone.getByRole('heading', { name: 'Logged in' }).waitFor()
  await page.getByRole('heading', { name: 'Hello, Han Meimei' }).waitFor()
})

test('three wrong numbers end it on both screens', async () => {
  const page = await open('/', desktop)
  const phone = await open(await scanned(page), mobile)
  await phone.getByRole('button', { name: '王小明' }).click()
  await card(page, 'scanned').waitFor()
  const number = Number(await page.locator('saoma-login .number').textContent())
  for (const [turn, told] of ['Tries left: 2.', 'Tries left: 1.', 'so nobody was logged in'].entries()) {
    await phone.getByLabel('Number on the other screen').fill(String(((number - 9 + turn) % 90) + 10))
    await phone.getByRole('button', { name: 'Confirm' }).click()
    await phone.getByText(told).waitFor()
  }
  await card(page, 'rejected').waitFor()
})

test('a phone on mobile data is told to join the Wi-Fi, and the page waits for it', async () => {
  const challenge = createHash('sha256').update('v'.repeat(43)).digest('base64url')
  const asked = { client_id: 'vault', redirect_uri: VAULT, response_type: 'code', scope: 'openid' }
  const query = new URLSearchParams({ ...asked, code_challenge: challenge, code_challenge_method: 'S256' })
  const page = await open(`/oidc/auth?${query}`, desktop, (it) =>
    it.route(/^https:\/\/vault\.example\.com\//, (route) =>
      route.fulfill({ contentType: 'text/html', body: '<h1>Welcome</h1>' }),
    ),
  )
  const path = await scanned(page)
  const phone = await open(path, mobile, (it) => it.setExtraHTTPHeaders(AWAY))
  await choose(phone)
  await phone.getByRole('heading', { name: 'You are in another network' }).waitFor()
  await phone.getByText('Join the Wi-Fi that the other screen uses').waitFor()
  await card(page, 'waiting').waitFor()
  await phone.setExtraHTTPHeaders({})
  await phone.getByRole('button', { name: 'Try again' }).click()
  await phone.getByRole('heading', { name: 'Log in to Vault?' }).waitFor()
  // The person leaves the Wi-Fi before the yes.
  await phone.setExtraHTTPHeaders(AWAY)
  await phone.getByRole('button', { name: 'Confirm' }).click()
  await phone.getByRole('alert').getByText('Join the Wi-Fi').waitFor()
  await phone.setExtraHTTPHeaders({})
  await phone.getByRole('button', { name: 'Confirm' }).click()
  await page.getByRole('heading', { name: 'Welcome' }).waitFor()
})
