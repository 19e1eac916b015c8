import { decodeClaims } from '@saoma/client'
import { createRedis } from '@saoma/redis'
import {
  type Cluster,
  confirm,
  connectLogin,
  createTicket,
  onCleanup,
  phoneToken,
  poll,
  redeem,
  reject,
  scan,
  startCluster,
  startGateway,
} from '@saoma/testing'
import { losing, type PhoneOptions, type ScreenOf, type ShownLogin, scanned, startPhone } from './phone.ts'

/** Registered applications with devices: one of somebody else. */
const devices = JSON.stringify([
  {
    client_id: 'printer',
    client_name: 'Print shop',
    type: 'public',
    grant_types: ['urn:ietf:params:oauth:grant-type:device_code'],
  },
])

let cluster: Cluster

beforeAll(async () => {
  // Ana does all of this within a minute, and reads her list of requests each time that she opens the page.
  cluster = await startCluster({ nodes: 2, env: { SAOMA_CLIENTS: devices, SAOMA_LIMIT_DECISIONS: '600' } })
})

/** A browser on node A asks to be logged in. */
const ask = (headers: Record<string, string> = {}) => createTicket(cluster.nodes[0]?.origin ?? '', { headers })
const phone = (person: string, options?: PhoneOptions) => startPhone(cluster, person, options)
const statusOf = async (deviceCode: string) => (await poll(cluster.origin, deviceCode, { wait: 0 })).body.status
/** Decisions that left the phone, in order. */
const decisions = (asked: string[]) => asked.flatMap((path) => /(confirm|reject)$/.exec(path)?.[1] ?? [])

/** A person in front of the question of a new ticket. */
const asking = async (person: string, options?: PhoneOptions) => {
  const { ticket, device_code: deviceCode } = await ask()
  const owner = phone(person, options)
  const login = owner.login(scanned(ticket))
  const { question } = await login.reaches('asking')
  return { ticket, deviceCode, owner, login, question }
}

// The browser is logged in as the person of the phone.
test('scanning and confirming on node B logs in the browser on node A', async () => {
  const userAgent = 'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/126.0.0.0 Safari/537.36'
  const { ticket, device_code: deviceCode, user_code: userCode } = await ask({ 'user-agent': userAgent })
  const browser = connectLogin(cluster.nodes[0]?.origin ?? '')
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

  const { body: tokens } = await redeem(cluster.origin, deviceCode)
  expect(decodeClaims(tokens.id_token)?.sub).toBe(decodeClaims(await phoneToken(cluster.origin, 'Ana'))?.sub)
})

test('a device of somebody else is logged in by whoever was shown what it would get', async () => {
  const form = { client_id: 'printer', scope: 'openid profile' }
  const { device_code: deviceCode, user_code: userCode } = await createTicket(cluster.origin, { form })
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

describe('where more than a tap is demanded', () => {
  let strict: Cluster
  beforeAll(async () => {
    strict = await startCluster({ nodes: 1, env: { SAOMA_VERIFY: 'network-or-number' } })
  })

  const askFrom = async (address?: string) => {
    const form = { client_id: 'web', scope: 'openid', verification: 'number' }
    const from = address ? { headers: { 'x-forwarded-for': address } } : {}
    return createTicket(strict.nodes[0]?.origin ?? '', { form, ...from })
  }
  const numberOf = async (deviceCode: string) => (await poll(strict.origin, deviceCode, { wait: 0 })).body.number ?? ''

  test('the person types the number, and a wrong one may be mended', async () => {
    const { ticket, device_code } = await askFrom('203.0.113.9')
    const login = startPhone(strict, 'Ana', { node: 0 }).login(scanned(ticket))
    expect((await login.reaches('asking')).question.verification).toBe('number')
    const number = await numberOf(device_code)
    login.page.confirm('7')
    expect(await login.reaches('asking')).toMatchObject({ error: 'VERIFICATION_REQUIRED' })
    login.page.confirm(number === '99' ? '98' : '99')
    const wrong = await login.when(({ screen }) => screen.status === 'asking' && screen.left !== undefined && screen)
    expect(wrong).toMatchObject({ error: 'VERIFICATION_WRONG', left: 2 })
    // As a Chinese keyboard types it.
    login.page.confirm(number.replace(/\d/g, (digit) => String.fromCharCode(digit.charCodeAt(0) + 0xfee0)))
    await login.reaches('confirmed')
  })

  test('the third wrong number refuses the login', async () => {
    const { ticket, device_code } = await askFrom('203.0.113.9')
    const login = startPhone(strict, 'Ben', { node: 0 }).login(scanned(ticket))
    await login.reaches('asking')
    const number = Number(await numberOf(device_code))
    for (const left of [2, 1]) {
      login.page.confirm(String(((number - 10 + left) % 90) + 10))
      await login.when(({ screen }) => screen.status === 'asking' && screen.left === left)
    }
    login.page.confirm(String(((number - 10 + 3) % 90) + 10))
    await login.reaches('refused')
  })

  test('a phone in the network of the browser needs no number', async () => {
    const { ticket } = await askFrom()
    const login = startPhone(strict, 'Ana', { node: 0 }).login(scanned(ticket))
    expect((await login.reaches('asking')).question.verification).toBe('network')
    login.page.confirm()
    await login.reaches('confirmed')
  })

  test('where the network is demanded, a phone elsewhere says so and may try again', async () => {
    const form = { client_id: 'web', scope: 'openid' }
    const headers = { 'x-forwarded-for': '203.0.113.9' }
    const { ticket } = await createTicket(strict.nodes[0]?.origin ?? '', { form, headers })
    const owner = startPhone(strict, 'Ana', { node: 0 })
    const login = owner.login(scanned(ticket))
    await login.reaches('elsewhere')
    login.page.retry()
    await login.reaches('elsewhere')
    expect(owner.asked()).toEqual([`tickets/${ticket}/scan`, `tickets/${ticket}/scan`])
  })
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

describe('away for 30 s', () => {
  test('with the question open: it is checked and goes on', async () => {
    const { ticket, deviceCode, owner, login, question } = await asking('Ana')
    owner.device.background()
    owner.device.foreground()
    const { question: later } = await login.when(
      ({ screen }) => screen.status === 'asking' && screen.question !== question && screen,
    )
    expect(owner.asked()).toEqual([`tickets/${ticket}/scan`, `tickets/${ticket}/scan`])
    expect(later.ticket).toBe(ticket)
    login.page.confirm()
    await login.reaches('confirmed')
    expect(await statusOf(deviceCode)).toBe('confirmed')
  })

  test('while the code is read: it is read on return', async () => {
    const { ticket } = await ask()
    const owner = phone('Ana')
    const login = owner.login(scanned(ticket))
    owner.device.background()
    expect(login.page.screen.status).toBe('opening')
    owner.device.foreground()
    await login.reaches('asking')
  })

  test('while the answer is on its way: the same answer is sent again', async () => {
    const { deviceCode, owner, login } = await asking('Ana')
    login.page.confirm()
    owner.device.background()
    owner.device.foreground()
    await login.reaches('confirmed')
    expect(new Set(decisions(owner.asked()))).toEqual(new Set(['confirm']))
    expect(await statusOf(deviceCode)).toBe('confirmed')
  })

  test('past the deadline: the request has expired and nobody is asked', async () => {
    const { owner, login } = await asking('Ana')
    const before = owner.asked().length
    owner.device.background(61_000)
    owner.device.foreground()
    await login.reaches('expired')
    expect(owner.asked()).toHaveLength(before)
  })

  test('after a decision on another phone of the person: it says so', async () => {
    const { ticket, owner, login } = await asking('Ana')
    owner.device.background()
    expect((await reject(cluster.origin, ticket, await phoneToken(cluster.origin, 'Ana'))).status).toBe(200)
    owner.device.foreground()
    expect(await login.reaches('settled')).toEqual({ status: 'settled' })
  })

  test('after the decision: the scene of the launch begins nothing new', async () => {
    const { owner, login } = await asking('Ana')
    login.page.decline()
    await login.reaches('declined')
    const before = owner.device.requests.length
    owner.device.background()
    owner.device.foreground()
    owner.device.foreground()
    expect(login.page.screen).toEqual({ status: 'declined' })
    expect(owner.device.requests).toHaveLength(before)
  })
})

describe('without a network', () => {
  test('before the scan: it goes on automatically when the network is back', async () => {
    const { ticket } = await ask()
    const owner = phone('Ana')
    owner.device.offline()
    const login = owner.login(scanned(ticket))
    await login.reaches('offline')
    owner.device.online()
    expect((await login.reaches('asking')).question.ticket).toBe(ticket)
  })

  test('before the answer: it is kept and sent when the network is back', async () => {
    const { deviceCode, owner, login } = await asking('Ana')
    owner.device.offline()
    login.page.confirm()
    await login.reaches('offline')
    login.page.decline()
    owner.device.online()
    await login.reaches('confirmed')
    expect(await statusOf(deviceCode)).toBe('confirmed')
    expect(decisions(owner.asked())).not.toContain('reject')
  })

  test('a manual retry without a network stays offline', async () => {
    const { ticket } = await ask()
    const owner = phone('Ana')
    owner.device.offline()
    const login = owner.login(scanned(ticket))
    await login.reaches('offline')
    login.page.retry()
    expect(login.page.screen.status).toBe('opening')
    await login.reaches('offline')
  })
})

describe('the answer to a confirmation is lost', () => {
  test('before the browser goes on: the answer is sent again and confirmed', async () => {
    const { deviceCode, owner, login } = await asking('Ana', { wrap: losing('/confirm') })
    login.page.confirm()
    await login.reaches('confirmed')
    expect(decisions(owner.asked())).toEqual(['confirm', 'confirm'])
    expect(await statusOf(deviceCode)).toBe('confirmed')
  })

  test('after the browser has gone on: it is settled, and perhaps by this confirmation', async () => {
    let deviceCode = ''
    const made = await asking('Ana', { wrap: losing('/confirm', () => redeem(cluster.origin, deviceCode)) })
    deviceCode = made.deviceCode
    made.login.page.confirm()
    expect(await made.login.reaches('settled')).toEqual({ status: 'settled', answered: 'confirm' })
  })

  test('after the server forgot the login: the confirmation may still have counted', async () => {
    const redis = await createRedis({ url: cluster.redis.url, probeMs: 0 })
    onCleanup(() => redis.close())
    let ticket = ''
    const forget = () => redis.data.del(redis.keys.ticket(ticket))
    const made = await asking('Ana', { wrap: losing('/confirm', forget) })
    ticket = made.ticket
    made.login.page.confirm()
    expect(await made.login.reaches('settled')).toEqual({ status: 'settled', answered: 'confirm' })
  })

  test('if it was a refusal: it is sent again and declined', async () => {
    const { owner, login } = await asking('Ana', { wrap: losing('/reject') })
    login.page.decline()
    await login.reaches('declined')
    expect(decisions(owner.asked())).toEqual(['reject', 'reject'])
  })
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
  await scan(cluster.origin, ticket, await phoneToken(cluster.origin, 'Ben'))
  expect(await phone('Ana').login(scanned(ticket)).reaches('taken')).toEqual({ status: 'taken' })
})

test('a code that was decided is settled', async () => {
  const { ticket } = await ask()
  const token = await phoneToken(cluster.origin, 'Ana')
  await scan(cluster.origin, ticket, token)
  await confirm(cluster.origin, ticket, token)
  expect(await phone('Ana').login(scanned(ticket)).reaches('settled')).toEqual({ status: 'settled' })
})

test('a code that ended before its scan has expired', async () => {
  const env = { SAOMA_SCAN_SECONDS: '1' }
  const { origin, redis } = cluster
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
