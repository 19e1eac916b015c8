import { createHash } from 'node:crypto'
import { decodeClaims } from '@saoma/client'
import { CIBA_GRANT } from '@saoma/protocol'
import { attemptPhoneToken, type Cluster, createTicket, request, startCluster, until } from '@saoma/testing'
import type { SubscribeOptions, WxApp } from '../src/logic/wx-app.ts'
import { type PhoneOptions, scanned, startPhone } from './phone.ts'

/* Requests that applications send to the phone, and WeChat's message about them, over two nodes. */

const SECRET = 'a-secret-of-a-test-with-many-characters-0'
const TEMPLATE = 'AbCdEfGhIjKlMnOpQrStUvWxYz0123456789-_abcde'
const desk = {
  client_id: 'desk',
  client_name: 'Front desk',
  type: 'confidential',
  party: 'first',
  grant_types: [CIBA_GRANT],
  secret_sha256: createHash('sha256').update(SECRET).digest('hex'),
}

let cluster: Cluster
beforeAll(async () => {
  const env = {
    SAOMA_CLIENTS: JSON.stringify([desk, { ...desk, client_id: 'till', client_name: 'Till', verify: 'tap' }]),
    SAOMA_DEMO: 'false',
    WECHAT_LOGIN_TEMPLATE: `${TEMPLATE} thing1=app time2=time`,
  }
  cluster = await startCluster({ nodes: 2, simulator: true, env })
})

const simulator = <T>(path: string, json?: object) =>
  request<T>(`${cluster.simulator?.origin}/simulator/${path}`, json ? { json } : {})
const subOf = async (person: string): Promise<string> => {
  const { js_code } = (await simulator<{ js_code: string }>('login', { person })).body
  const { body } = await attemptPhoneToken(cluster.origin, js_code)
  return decodeClaims(body.access_token)?.sub ?? ''
}
interface Asked {
  auth_req_id: string
  ticket: string
  number: string
}
const ask = async (client_id: string, login_hint: string): Promise<Asked> => {
  const form = { client_id, client_secret: SECRET, scope: 'openid', login_hint, binding_message: 'Desk 4' }
  const { status, body } = await request<Asked>(`${cluster.nodes[0]?.origin}/oidc/backchannel`, { form })
  expect(status).toBe(200)
  return body
}
const redeem = (client_id: string, { auth_req_id }: Asked) =>
  request<{ error?: string; access_token?: string }>(`${cluster.nodes[0]?.origin}/oidc/token`, {
    form: { grant_type: CIBA_GRANT, client_id, client_secret: SECRET, auth_req_id },
  })
const phone = (person: string, options?: PhoneOptions) => startPhone(cluster, person, options)
/** As the mini-program is opened from WeChat's list, without a code. */
const opened = { launchScene: 1001 }

test('the page lists what waits, and a yes with the number logs in', async () => {
  const asked = await ask('desk', await subOf('Ana'))
  const login = phone('Ana').login(opened)
  const [waiting] = await login.when(({ screen }) => screen.status === 'no-code' && screen.requests)
  expect(waiting).toMatchObject({ ticket: asked.ticket, app: 'Front desk', message: 'Desk 4' })
  login.page.openRequest(asked.ticket)
  const { question } = await login.reaches('asking')
  expect(question).toMatchObject({ isListed: true, verification: 'number', warning: undefined, sameNetwork: false })
  login.page.confirm(asked.number)
  await login.reaches('confirmed')
  expect((await redeem('desk', asked)).status).toBe(200)
})

test('it lists again what came while the person was away', async () => {
  const sub = await subOf('Ben')
  const owner = phone('Ben')
  const login = owner.login(opened)
  await login.reaches('no-code')
  await until(
    async () => owner.asked(),
    (paths) => paths.includes('me/requests'),
  )
  const { ticket } = await ask('desk', sub)
  owner.device.background()
  owner.device.foreground()
  const listed = await login.when(({ screen }) => screen.status === 'no-code' && screen.requests)
  expect(listed.map((each) => each.ticket)).toEqual([ticket])
})

test('"this was not me" declines, says what that means, and the application is refused', async () => {
  const sub = await subOf('Cyd')
  const asked = await ask('desk', sub)
  const login = phone('Cyd').login(opened)
  await login.when(({ screen }) => screen.status === 'no-code' && screen.requests)
  login.page.openRequest(asked.ticket)
  await login.reaches('asking')
  login.page.report()
  await login.reaches('reported')
  expect((await redeem('desk', asked)).body.error).toBe('access_denied')
  const form = { client_id: 'desk', client_secret: SECRET, scope: 'openid', login_hint: sub }
  expect((await request(`${cluster.origin}/oidc/backchannel`, { form })).status).toBe(429)
})

/** What `wx.requestSubscribeMessage` does when it is called. */
type Ask = (options: SubscribeOptions) => unknown

/** Somebody has logged in by a scan, with a WeChat that asks like this. */
const loggedIn = async (person: string, requestSubscribeMessage?: Ask, loginTemplate = TEMPLATE) => {
  const wrap = (wx: WxApp): WxApp => ({ ...wx, ...(requestSubscribeMessage ? { requestSubscribeMessage } : {}) })
  const { ticket } = await createTicket(cluster.nodes[0]?.origin ?? '')
  const login = phone(person, { wrap, loginTemplate }).login(scanned(ticket))
  await login.reaches('asking')
  login.page.confirm()
  const { messages } = await login.reaches('confirmed')
  return { login, offered: messages }
}
const messagesOf = async () => {
  type Message = { to: string; template: string; page: string; data: Record<string, { value: string }> }
  return (await simulator<{ messages: Message[] }>('messages')).body.messages
}

describe('the message of WeChat', () => {
  const warned: string[] = []
  const { warn } = console
  beforeAll(() => {
    console.warn = (...what: unknown[]) => void warned.push(what.join(' '))
  })
  afterAll(() => {
    console.warn = warn
  })
  beforeEach(() => warned.splice(0))

  test('a person agrees on a tap after a login, and the next request comes with one message', async () => {
    const person = 'Dan'
    let isAsked = false
    const { login, offered } = await loggedIn(person, ({ tmplIds, success }) => {
      isAsked = true
      expect(tmplIds).toEqual([TEMPLATE])
      void simulator('messages/agree', { person, template: TEMPLATE }).then(() => success({ [TEMPLATE]: 'accept' }))
    })
    expect(offered).toBe('offered')
    login.page.agree()
    // WeChat refuses the question once the handler of the tap has ended.
    expect(isAsked).toBe(true)
    await login.when(({ screen }) => screen.status === 'confirmed' && screen.messages === 'agreed')
    // A second tap asks for nothing.
    isAsked = false
    login.page.agree()
    expect(isAsked).toBe(false)

    const sub = await subOf(person)
    const asked = [await ask('till', sub), await ask('till', sub)]
    const [message, ...more] = await until(messagesOf, ({ length }) => length > 0)
    expect(message).toMatchObject({
      template: TEMPLATE,
      page: 'pages/login/index',
      data: { thing1: { value: 'Till' } },
    })
    expect(message?.data.time2?.value).toMatch(/^\d{4}-\d\d-\d\d \d\d:\d\d$/)
    expect(more).toEqual([])
    // The message opens the page without a code. There is the list, with the request that had no message.
    const next = phone(person).login({ launchScene: 1014 })
    const listed = await next.when(({ screen }) => screen.status === 'no-code' && screen.requests)
    expect(listed.map(({ ticket }) => ticket)).toEqual(asked.map(({ ticket }) => ticket).reverse())
    expect(await messagesOf()).toHaveLength(1)
  })

  const refusals: [what: string, ask: Ask, warning: string][] = [
    ['the person says no', ({ success }) => success({ [TEMPLATE]: 'reject' }), ''],
    [
      'the person takes no messages at all',
      ({ fail }) => fail({ errMsg: 'requestSubscribeMessage:fail', errCode: 20_004 }),
      '',
    ],
    ['the program has gone to the background', ({ fail }) => fail({ errMsg: 'fail', errCode: 10_005 }), ''],
    ['the network is lost', ({ fail }) => fail({ errMsg: 'fail', errCode: 10_003 }), ''],
    ['it was not asked in a tap', ({ fail }) => fail({ errMsg: 'fail can only be invoked by user TAP' }), 'TAP'],
    ['WeChat has banned the template', ({ success }) => success({ [TEMPLATE]: 'ban' }), 'ban'],
    ['there is no such template', ({ fail }) => fail({ errMsg: 'fail: no template', errCode: 20_001 }), 'no template'],
    [
      'WeChat throws',
      () => {
        throw new Error('no permission')
      },
      'no permission',
    ],
  ]
  test.each(refusals)('if %s, the login is as good, and nobody is asked again', async (_, refuse, warning) => {
    let times = 0
    const { login } = await loggedIn('Eve', (options) => {
      times++
      refuse(options)
    })
    login.page.agree()
    login.page.agree()
    expect(times).toBe(1)
    expect(login.page.screen).toEqual({ status: 'confirmed' })
    // What the operator has to mend is told to the operator.
    expect(warned).toEqual(warning ? [expect.stringContaining(warning)] : [])
  })

  // Of a template with a sound the person may take that, too.
  test.each(['acceptWithAudio', 'acceptWithAlert'])('a yes that WeChat calls %s is one', async (yes) => {
    const { login } = await loggedIn('Hal', ({ success }) => success({ [TEMPLATE]: yes }))
    login.page.agree()
    expect(login.page.screen).toEqual({ status: 'confirmed', messages: 'agreed' })
    expect(warned).toEqual([])
  })

  test('an answer that comes when another code is open changes nothing', async () => {
    let answer = () => {}
    const { login } = await loggedIn('Fay', ({ success }) => {
      answer = () => success({ [TEMPLATE]: 'accept' })
    })
    login.page.agree()
    login.page.open(opened)
    answer()
    expect(login.page.screen.status).toBe('no-code')
  })

  test('without a template, or with a WeChat that cannot ask, nothing is offered', async () => {
    expect((await loggedIn('Gil')).offered).toBeUndefined()
    const { login, offered } = await loggedIn('Gil', () => expect('it').toBe('not asked'), '')
    expect(offered).toBeUndefined()
    login.page.agree()
    expect(login.page.screen).toEqual({ status: 'confirmed' })
  })
})
