import { decodeClaims } from '@saoma/client'
import { confirm, connectLogin, createTicket, phoneToken, poll, redeem, scan, startGateway } from '@saoma/testing'
import { createStage, decisions } from './login-stage.ts'
import { type ScreenOf, type ShownLogin, scanned } from './phone.ts'

/** Registered applications with devices: one of somebody else. */
const devices = JSON.stringify([
  {
    client_id: 'printer',
    client_name: 'Print shop',
    type: 'public',
    grant_types: ['urn:ietf:params:oauth:grant-type:device_code'],
  },
])

const stage = createStage({ SAOMA_CLIENTS: devices })
const { ask, asking, phone, statusOf } = stage

// The browser is logged in as the person of the phone.
test('scanning and confirming on node B logs in the browser on node A', async () => {
  const userAgent = 'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/126.0.0.0 Safari/537.36'
  const { ticket, device_code: deviceCode, user_code: userCode } = await ask({ 'user-agent': userAgent })
  const browser = connectLogin(stage.cluster.nodes[0]?.origin ?? '')
  await browser.watch(deviceCode)

  const owner = phone('Ana')
  const login = owner.login(scanned(ticket))
  const { question } = await login.reaches('asking')
  expect(question).toMatchObject({
    ticket,
    request: { ip: '127.0.0.1', browser: 'Chrome 126', os: 'Windows 10', userCode },
    sameNetwork: true,
    warning: undefined,
  })
  expect(await browser.next('ticket')).toMatchObject({ status: 'scanned' })
  login.page.confirm()
  await login.reaches('confirmed')
  expect(await browser.next('ticket')).toMatchObject({ status: 'confirmed' })

  const { body: tokens } = await redeem(stage.cluster.origin, deviceCode)
  expect(decodeClaims(tokens.id_token)?.sub).toBe(decodeClaims(await phoneToken(stage.cluster.origin, 'Ana'))?.sub)
})

test('a device of somebody else is logged in by whoever was shown what it would get', async () => {
  const form = { client_id: 'printer', scope: 'openid profile' }
  const { device_code: deviceCode, user_code: userCode } = await createTicket(stage.cluster.origin, { form })
  const login = phone('Ana').login({ launchScene: 1001 })
  await login.reaches('no-code')
  login.page.findUserCode(userCode.toLowerCase())
  expect((await login.reaches('asking')).question.request).toMatchObject({
    ...{ app: 'Print shop', browser: '' },
    application: { party: 'third', scopes: ['openid', 'profile'] },
  })
  login.page.confirm()
  await login.reaches('confirmed')
  expect(await statusOf(deviceCode)).toBe('confirmed')
})

test('declining tells the browser, and nobody is logged in', async () => {
  const { deviceCode, login } = await asking('Ana')
  login.page.decline()
  await login.reaches('declined')
  expect(await statusOf(deviceCode)).toBe('rejected')
})

test.each([600_000, -600_000])(
  'a phone with a clock wrong by %d ms shows the right age and time left',
  async (aheadMs) => {
    const { owner, login, question } = await asking('Ana', { aheadMs })
    const aMinuteBefore = new Date(Date.parse(question.request.requestedAt) - 60_000).toISOString()
    expect(owner.program.text.sayAge(aMinuteBefore)).toMatch(/^\d\d 秒前$/)
    expect(Math.abs(question.until - Date.now() - aheadMs - 60_000)).toBeLessThan(10_000)
    login.page.confirm()
    await login.reaches('confirmed')
  },
)

test.each([
  [1047, undefined],
  [1011, undefined],
  [1049, 'album'],
  [1013, 'album'],
  [1048, 'long-press'],
  [1012, 'long-press'],
  [1065, 'link'],
  [1194, 'link'],
  [1007, 'forwarded'],
  [1089, 'forwarded'],
])('way in %i leads to the warning: %s', async (launchScene, warning) => {
  const { ticket } = await ask()
  const login = phone('Ana').login({ scene: ticket, launchScene })
  expect((await login.reaches('asking')).question.warning).toBe(warning)
})

test('a link whose browser is on another network has a strong warning', async () => {
  const { ticket } = await ask({ 'x-forwarded-for': '203.0.113.9' })
  const login = phone('Ana').login({ scene: ticket, launchScene: 1194 })
  expect((await login.reaches('asking')).question).toMatchObject({ sameNetwork: false, warning: 'link-elsewhere' })
})

// The first ticket is left alone.
test('a second scan replaces the first, however late the first answer comes', async () => {
  const { deviceCode: first, login } = await asking('Ana')
  const [second, third] = [await ask(), await ask()]
  login.page.open(scanned(second.ticket))
  login.page.open(scanned(third.ticket))
  expect((await login.reaches('asking')).question.ticket).toBe(third.ticket)
  login.page.confirm()
  await login.reaches('confirmed')
  expect(await statusOf(third.device_code)).toBe('confirmed')
  expect(await statusOf(second.device_code)).not.toBe('confirmed')
  expect(await statusOf(first)).toBe('scanned')
})

test('a mini-program that was killed shows the code of the second scan', async () => {
  const { owner } = await asking('Ana')
  const { ticket } = await ask()
  owner.device.kill()
  expect((await phone('Ana').login(scanned(ticket)).reaches('asking')).question.ticket).toBe(ticket)
})

test('of two taps on different buttons one counts', async () => {
  const { deviceCode, owner, login } = await asking('Ana')
  login.page.decline()
  login.page.confirm()
  login.page.decline()
  await login.reaches('declined')
  expect(decisions(owner.asked())).toEqual(['reject'])
  expect(await statusOf(deviceCode)).toBe('rejected')
})

test('a code that somebody else has scanned is taken', async () => {
  const { ticket } = await ask()
  await scan(stage.cluster.origin, ticket, await phoneToken(stage.cluster.origin, 'Ben'))
  expect(await phone('Ana').login(scanned(ticket)).reaches('taken')).toEqual({ status: 'taken' })
})

test('a code that was decided is settled', async () => {
  const { ticket } = await ask()
  const token = await phoneToken(stage.cluster.origin, 'Ana')
  await scan(stage.cluster.origin, ticket, token)
  await confirm(stage.cluster.origin, ticket, token)
  expect(await phone('Ana').login(scanned(ticket)).reaches('settled')).toEqual({ status: 'settled' })
})

test('a code that ended before its scan has expired', async () => {
  const env = { SAOMA_SCAN_SECONDS: '1' }
  const { origin, redis } = stage.cluster
  const hasty = await startGateway({ redisUrl: redis.url, nodeId: 'h', origin, env })
  const { ticket, device_code: deviceCode } = await createTicket(hasty.origin)
  expect((await poll(hasty.origin, deviceCode, { after: 1, wait: 5 })).body.status).toBe('expired')
  await phone('Ana').login(scanned(ticket)).reaches('expired')
})

test('a code that never existed is not found', async () => {
  const login = phone('Ana').login(scanned('x'.repeat(22)))
  expect(await login.reaches('not-found')).toEqual({ status: 'not-found' })
})

test('a code that several people scan is void, and each of their phones says so', async () => {
  const { ticket } = await ask()
  const owner = phone('Crowd 1').login(scanned(ticket))
  await owner.reaches('asking')
  await phone('Crowd 2').login(scanned(ticket)).reaches('taken')
  await phone('Crowd 3').login(scanned(ticket)).reaches('void')
  owner.page.confirm()
  await owner.reaches('void')
})

describe('a user code that is typed', () => {
  const typing = (person: string): ShownLogin => phone(person).login({ launchScene: 1089 })
  const withError = ({ screen }: ShownLogin['page']): ScreenOf<'no-code'> | false =>
    screen.status === 'no-code' && 'error' in screen && screen

  test.each([
    ['as it is shown', (code: string) => code],
    ['in small letters, without the dash', (code: string) => code.toLowerCase().replace('-', '')],
    ['in full width letters, with spaces', (code: string) => ` ${widened(code)} `],
    ['with the dash that a keyboard made of it', (code: string) => code.replace('-', '——')],
  ])('%s leads to the question with a warning: somebody may have sent it', async (_, written) => {
    const { ticket, user_code: userCode } = await ask()
    const login = typing(`Typist ${written.length}${userCode.slice(0, 2)}`)
    expect(login.page.screen).toEqual({ status: 'no-code' })
    login.page.findUserCode(written(userCode))
    expect((await login.reaches('asking')).question).toMatchObject({ ticket, warning: 'typed' })
  })

  test('the warning stays when the same person comes by a scan afterwards', async () => {
    const { ticket, user_code: userCode } = await ask()
    const owner = phone('Twice')
    const first = owner.login({ launchScene: 1089 })
    first.page.findUserCode(userCode)
    await first.reaches('asking')
    expect((await owner.login(scanned(ticket)).reaches('asking')).question.warning).toBe('typed')
  })

  test.each(['BCDF-GHJK', '', '..', 'a/b', '🙂'.repeat(8)])(
    '%j is not a code, and the person may type again',
    async (written) => {
      const login = typing(`Bad typist ${written.length}`)
      login.page.findUserCode(written)
      expect(await login.when(withError)).toEqual({ status: 'no-code', error: 'TICKET_NOT_FOUND' })
    },
  )

  test('a person who typed five wrong codes has to wait and is told so at once', async () => {
    const login = typing('Guesser')
    const errors: unknown[] = []
    for (const letter of 'BCDFGH') {
      login.page.findUserCode(letter.repeat(8))
      errors.push((await login.when(withError)).error)
    }
    expect(errors).toEqual([...Array(5).fill('TICKET_NOT_FOUND'), 'RATE_LIMITED'])
  })
})

const widened = (text: string): string =>
  [...text]
    .map((letter) => (/[A-Z]/.test(letter) ? String.fromCharCode(letter.charCodeAt(0) + 0xfee0) : letter))
    .join('')
