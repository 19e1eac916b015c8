import { createTicket, phoneToken, request, scan } from '@saoma/testing'
import { mobile, type Page, tabTo } from './people.ts'
import { createStage } from './stage.ts'

const DEVICE_CODE_GRANT = 'urn:ietf:params:oauth:grant-type:device_code'
const device = { type: 'public', grant_types: [DEVICE_CODE_GRANT] } as const
const clients = JSON.stringify([
  { client_id: 'tv', client_name: 'Lobby TV', party: 'first', ...device },
  { client_id: 'printer', client_name: 'Print shop', party: 'third', scope: 'openid profile phone', ...device },
])

const stage = createStage({ env: { SAOMA_CLIENTS: clients } })
const { open } = stage
const ask = (client_id = 'tv', scope = 'openid profile') => createTicket(stage.origin, { form: { client_id, scope } })
const redeem = ({ device_code }: { device_code: string }, client_id = 'tv') =>
  request<Record<string, string>>(`${stage.origin}/oidc/token`, {
    form: { grant_type: DEVICE_CODE_GRANT, device_code, client_id },
  })
const picture = (page: Page) => page.getByAltText('Code to scan with the phone')
test('a code that is typed becomes a picture, and the phone that scans it logs the device in', async () => {
  const asked = await ask()
  expect(asked.verification_uri).toBe(`${stage.origin}/device`)
  const page = await open('/device')
  await page.getByText('never for ones that somebody sent you.').waitFor()
  // The field has no focus of its own: a screen reader begins at the heading.
  await tabTo(page, 'Code')
  await page.keyboard.type(asked.user_code.toLowerCase().replace('-', ''))
  await page.keyboard.press('Enter')
  await page.getByRole('heading', { name: 'Log in to Lobby TV' }).waitFor()
  expect(await page.locator('.usercode strong').textContent()).toBe(asked.user_code)
  await picture(page).waitFor()
  expect(await picture(page).evaluate((image) => (image as HTMLImageElement).naturalWidth)).toBeGreaterThan(100)
  expect(new URL(page.url()).search).toBe(`?ticket=${asked.ticket}`)
  // Where the picture leads.
  const phone = await open(`/phone?ticket=${asked.ticket}`, mobile)
  await phone.getByRole('button', { name: 'Han Meimei' }).click()
  await phone.getByRole('heading', { name: 'Log in to Lobby TV?' }).waitFor()
  await phone.getByText('a device without a browser').waitFor()
  await phone.getByText('Decline if somebody sent you the code.').waitFor()
  expect(await phone.locator('.usercode strong').textContent()).toBe(asked.user_code)
  expect(await phone.getByText('belongs to somebody else').count()).toBe(0)
  await phone.getByRole('button', { name: 'Confirm' }).click()
  await phone.getByRole('heading', { name: 'Logged in' }).waitFor()
  expect((await redeem(asked)).status).toBe(200)
  // Who reloads the page sees that there is nothing more to do.
  await page.reload()
  await page.getByRole('heading', { name: 'This request is over' }).waitFor()
})

test('on the phone alone, the address of the picture on a TV leads to the question', async () => {
  const asked = await ask()
  const page = await open(asked.verification_uri_complete, mobile)
  await picture(page).waitFor()
  await page.getByRole('link', { name: 'Go on with this browser' }).click()
  await page.getByRole('button', { name: 'Li Lei' }).click()
  await page.getByRole('heading', { name: 'Log in to Lobby TV?' }).waitFor()
  await page.getByRole('button', { name: 'Decline' }).click()
  await page.getByRole('heading', { name: 'Declined' }).waitFor()
  expect((await redeem(asked)).body.error).toBe('access_denied')
})

test('the phone says that an application belongs to somebody else, and what it would get', async () => {
  const asked = await ask('printer', 'openid phone')
  const phone = await open(`/phone?ticket=${asked.ticket}`, mobile)
  await phone.getByRole('button', { name: 'Ada Lovelace' }).click()
  await phone.getByText('Print shop belongs to somebody else. It would get:').waitFor()
  expect(await phone.locator('.terms li').allTextContents()).toEqual(['an id that stands for you', 'your phone number'])
  await phone.getByRole('button', { name: 'Confirm' }).click()
  await phone.getByRole('heading', { name: 'Logged in' }).waitFor()
  expect((await redeem(asked, 'printer')).body.scope).toBe('openid phone')
})

test('wrong codes and those of pages are told apart from an unreachable server', async () => {
  const page = await open('/device')
  const { user_code: ofPage } = await createTicket(stage.origin)
  const type = async (code: string) => {
    await page.getByLabel('Code').fill(code)
    await page.getByRole('button', { name: 'Continue' }).click()
  }
  for (const code of ['BBBB-BBBB', ofPage]) {
    await type(code)
    await page.getByRole('alert').getByText('No device shows this code.').waitFor()
  }
  await page.route('**/v1/user-codes', (route) => route.abort())
  await type('BBBB-BBBB')
  await page.getByRole('alert').getByText('The server cannot be reached.').waitFor()
})

test('a request that somebody has scanned meanwhile has no picture', async () => {
  const asked = await ask()
  await scan(stage.origin, asked.ticket, await phoneToken(stage.origin, 'Ben'))
  const page = await open(asked.verification_uri_complete)
  await page.getByRole('heading', { name: 'This request is over' }).waitFor()
  await page.getByRole('link', { name: 'Type another code' }).click()
  await page.getByRole('heading', { name: 'Log in a TV or a program' }).waitFor()
})

test.each([
  ['zh-CN', '登录电视或程序', '打开手机页面'],
  ['en-US', 'Log in a TV or a program', 'Open the phone page'],
])('the page speaks %s, and leads to the phone page with a code in the field', async (locale, heading, link) => {
  const page = await open('/device?user_code=BCDF-GHJK', { ...mobile, locale })
  await page.getByRole('heading', { name: heading }).waitFor()
  expect(await page.locator('#code').inputValue()).toBe('BCDF-GHJK')
  expect(await page.getByRole('link', { name: link }).getAttribute('href')).toBe(`${stage.origin}/phone`)
})
