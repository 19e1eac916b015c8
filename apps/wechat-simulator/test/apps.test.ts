import { appid, secret, start } from './start.ts'

const other = { appid: 'wx0000000000000002', secret: 'fedcba9876543210fedcba9876543210' }

test('several apps have their own codes, openids and tokens, and one unionid', async () => {
  const { json } = await start({ openPlatform: 'the company', others: [other] })
  const login = async (app: string) => (await json('/simulator/login', { body: { person: 'li', appid: app } })).js_code
  const session = (app: { appid: string; secret: string }, js_code: unknown) =>
    json('/sns/jscode2session', {
      query: { ...app, js_code: String(js_code), grant_type: 'authorization_code' },
    })
  const code = await login(other.appid)
  expect((await session({ appid, secret }, code)).errcode).toBe(40029)
  const [second, first] = [await session(other, code), await session({ appid, secret }, await login(appid))]
  expect(second.openid).not.toBe(first.openid)
  expect(second.unionid).toBe(first.unionid)
  expect((await session({ ...other, secret }, await login(other.appid))).errcode).toBe(40125)

  const token = async (app: object) =>
    (await json('/cgi-bin/stable_token', { body: { grant_type: 'client_credential', ...app } })).access_token
  expect(await token(other)).not.toBe(await token({ appid, secret }))
  expect(
    (await json('/cgi-bin/stable_token', { body: { grant_type: 'client_credential', ...other, secret } })).errcode,
  ).toBe(40125)
})

test('a code of the button for the phone number gives the number once', async () => {
  const { json, stableToken } = await start()
  const { access_token } = await stableToken()
  const ask = (code: unknown, query: Record<string, string> = { access_token }) =>
    json('/wxa/business/getuserphonenumber', { query, body: { code } })
  const { code } = await json('/simulator/phone', { body: { number: '13800138000' } })
  expect(await ask(code)).toMatchObject({
    errcode: 0,
    phone_info: { phoneNumber: '13800138000', purePhoneNumber: '13800138000', countryCode: '86', watermark: { appid } },
  })
  expect((await ask(code)).errcode).toBe(40029)
  const abroad = await json('/simulator/phone', { body: { number: '2025550123', country: '1' } })
  expect(await ask(abroad.code)).toMatchObject({ phone_info: { phoneNumber: '+12025550123', countryCode: '1' } })
  expect((await ask('made up')).errcode).toBe(40029)
  expect((await ask(undefined)).errcode).toBe(47001)
  expect((await ask('x', {})).errcode).toBe(41001)
})

test('each consent of a person is good for one subscription message of an app', async () => {
  const { json, stableToken } = await start({ openPlatform: 'the company', others: [other] })
  const { access_token } = await stableToken()
  const { js_code } = await json('/simulator/login', { body: { person: 'li' } })
  const query = { appid, secret, js_code: String(js_code), grant_type: 'authorization_code' }
  const { openid: touser } = await json('/sns/jscode2session', { query })
  const send = (more: object = {}) =>
    json('/cgi-bin/message/subscribe/send', {
      query: { access_token },
      body: { touser, template_id: 'a', page: 'pages/login/index', data: { thing1: { value: 'Desk' } }, ...more },
    })
  const agree = (app: string) =>
    json('/simulator/messages/agree', { body: { person: 'li', template: 'a', appid: app } })
  expect((await send()).errcode).toBe(43101)
  await agree(other.appid)
  expect((await send()).errcode).toBe(43101)
  await agree(appid)
  expect((await send({ template_id: 'b' })).errcode).toBe(43101)
  expect((await send({ data: { thing1: { value: 'x'.repeat(21) } } })).errcode).toBe(47003)
  expect((await send({ data: { time1: { value: 'Tuesday' } } })).errcode).toBe(47003)
  expect((await send({ data: {}, touser: undefined })).errcode).toBe(47001)
  expect(await send()).toMatchObject({ errcode: 0, msgid: expect.any(Number) })
  expect((await send()).errcode).toBe(43101)
  const { messages } = await json('/simulator/messages')
  expect(messages).toEqual([
    { appid, to: touser, template: 'a', page: 'pages/login/index', data: { thing1: { value: 'Desk' } } },
  ])
})
