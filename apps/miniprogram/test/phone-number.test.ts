import { EventEmitter, once } from 'node:events'
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { type Cluster, createTicket, onCleanup, request, startCluster } from '@saoma/testing'
import { losing, type PhoneOptions, scanned, show, startPhone } from './phone.ts'

const PATH = '/wxa/business/getuserphonenumber'
const NUMBER = '+8613800138000'
let cluster: Cluster
/** What the business was asked. */
const questions: { phone_number?: string }[] = []
const admit = (res: ServerResponse) => res.end(JSON.stringify({ allow: true }))
const refuse = (res: ServerResponse) => res.end(JSON.stringify({ allow: false, detail: '请授权手机号。' }))
let answer: (res: ServerResponse, question: { phone_number?: string }) => void = admit

beforeAll(async () => {
  const hook = createServer(async (req, res) => {
    const question = JSON.parse(await text(req))
    questions.push(question)
    answer(res, question)
  }).listen(0, '127.0.0.1')
  await once(hook, 'listening')
  onCleanup(() => void hook.close())
  cluster = await startCluster({
    nodes: 2,
    simulator: true,
    env: {
      SAOMA_DEMO: 'false',
      SAOMA_ACCOUNT_URL: `http://127.0.0.1:${(hook.address() as AddressInfo).port}`,
      SAOMA_ACCOUNT_SECRET: 'sixteen characters',
    },
  })
})
beforeEach(() => {
  questions.length = 0
  answer = admit
})

const simulator = async <T>(path: string, json?: object): Promise<T> =>
  (await request<T>(`${cluster.simulator?.origin}/simulator${path}`, json ? { json } : { method: 'DELETE' })).body
const press = async () => ({
  ...(await simulator<{ code: string }>('/phone', { number: '13800138000' })),
  errMsg: 'getPhoneNumber:ok',
})
/** A phone of this person, whose storage outlives the mini-program. */
const phoneOf = (person: string, storage = new Map<string, unknown>(), options: PhoneOptions = {}) =>
  startPhone(cluster, person, { asksPhoneNumber: true, storage, ...options })
const code = async () => scanned((await createTicket(cluster.origin)).ticket)

test('it is asked for before the phone says who it is, so that the business knows it at birth. Then never again', async () => {
  const storage = new Map<string, unknown>()
  const phone = phoneOf('Ann', storage)
  const login = phone.login(await code())
  await login.reaches('number')
  expect(phone.logins).toBe(0)
  login.page.giveNumber(await press())
  expect((await login.reaches('asking')).question).not.toHaveProperty('numberLost')
  expect(questions).toMatchObject([{ action: 'birth', phone_number: NUMBER }])
  login.page.open(await code())
  await login.reaches('opening')
  await login.reaches('asking')
  phone.program.close()
  await phoneOf('Ann', storage)
    .login(await code())
    .reaches('asking')
  // The code is not kept on the phone.
  expect([...storage.values()]).toEqual(['1'])
})

test('no page says who somebody is before they were asked, and one birth has the number', async () => {
  const asks = new EventEmitter()
  const phone = phoneOf('Browsing', undefined, { askNumber: () => asks.emit('ask') })
  const asked = once(asks, 'ask')
  const messages = show(phone.program.messages)
  const devices = show(phone.program.devices)
  await asked
  expect(phone.logins).toBe(0)
  const login = show(phone.program.login)
  const answered = new Promise<void>((resolve) => login.page.ask(resolve))
  login.page.giveNumber(await press())
  await answered
  login.page.close()
  await devices.when(({ screen }) => screen.status === 'listed')
  await messages.when(({ screen }) => screen.status === 'ready')
  expect(questions).toMatchObject([{ action: 'birth', phone_number: NUMBER }])
})

test('a page whose question was left open says so, and asks again when it is tried again', async () => {
  const asks = new EventEmitter()
  const phone = phoneOf('Leaving', undefined, { askNumber: () => asks.emit('ask') })
  const first = once(asks, 'ask')
  const devices = show(phone.program.devices)
  await first
  const login = show(phone.program.login)
  login.page.ask(() => {})
  login.page.close()
  await devices.when(({ screen }) => screen.status === 'failed' && screen.code === 'NUMBER_DUE')
  const second = once(asks, 'ask')
  void devices.page.refresh()
  await second
  expect([phone.logins, questions]).toEqual([0, []])
})

test.each([
  ['skips it', undefined],
  ['says no to WeChat', { errMsg: 'getPhoneNumber:fail user deny' }],
])('whoever %s logs in without, and is not asked again', async (what, said) => {
  const storage = new Map<string, unknown>()
  const phone = phoneOf(what, storage)
  const login = phone.login(await code())
  await login.reaches('number')
  if (said) login.page.giveNumber(said)
  else login.page.skipNumber()
  await login.reaches('asking')
  expect(questions).toHaveLength(1)
  expect(questions[0]).not.toHaveProperty('phone_number')
  phone.program.close()
  await phoneOf(what, storage)
    .login(await code())
    .reaches('asking')
})

test.each([
  ['has no number in its privacy agreement', 'getPhoneNumber:fail api scope is not declared in the privacy agreement'],
  ['has used up its package', 'getPhoneNumber:fail no quota'],
])('an operator whose mini-program %s reads that in the console, and nobody is kept out', async (what, errMsg) => {
  const warn = import.meta.jest.spyOn(console, 'warn').mockImplementation(() => {})
  const storage = new Map<string, unknown>()
  const login = phoneOf(what, storage).login(await code())
  await login.reaches('number')
  login.page.giveNumber({ errMsg })
  await login.reaches('asking')
  expect(warn).toHaveBeenCalledWith(expect.stringContaining(errMsg))
  warn.mockRestore()
  // It is asked for when the operator has mended it.
  expect(storage.size).toBe(0)
})

test('a code that WeChat refuses loses the number of somebody known, which they read, and not the login', async () => {
  await phoneOf('Expired', undefined, { asksPhoneNumber: false })
    .login(await code())
    .reaches('asking')
  const login = phoneOf('Expired').login(await code())
  await login.reaches('number')
  login.page.giveNumber({ code: 'f'.repeat(64) })
  expect((await login.reaches('asking')).question).toMatchObject({ numberLost: true })
  login.page.confirm()
  await login.reaches('confirmed')
})

test('somebody new whose number WeChat has told to nobody gives it again', async () => {
  await simulator('/faults', { path: PATH, kind: 'cut', times: 1 })
  const login = phoneOf('Cut').login(await code())
  await login.reaches('number')
  login.page.giveNumber(await press())
  expect(await login.reaches('failed')).toMatchObject({ code: 'PHONE_CODE_REJECTED', canRetry: true })
  expect(questions).toEqual([])
  login.page.retry()
  await login.reaches('number')
  login.page.giveNumber(await press())
  await login.reaches('asking')
  expect(questions).toMatchObject([{ phone_number: NUMBER }])
})

test('a number whose answer is lost on its way is not lost, and WeChat is asked once', async () => {
  const { body: before } = await request<{ calls: Record<string, number> }>(
    `${cluster.simulator?.origin}/simulator/counters`,
  )
  const login = phoneOf('Lossy', undefined, { wrap: losing('/oidc/token') }).login(await code())
  await login.reaches('number')
  login.page.giveNumber(await press())
  expect((await login.reaches('asking')).question).not.toHaveProperty('numberLost')
  const { body: after } = await request<{ calls: Record<string, number> }>(
    `${cluster.simulator?.origin}/simulator/counters`,
  )
  expect((after.calls[PATH] ?? 0) - (before.calls[PATH] ?? 0)).toBe(1)
})

test('somebody new waits while WeChat does not tell the number, and is told so', async () => {
  await simulator('/faults', { path: PATH, kind: 'down' })
  const login = phoneOf('Waiting').login(await code())
  await login.reaches('number')
  login.page.giveNumber(await press())
  expect(await login.reaches('failed')).toMatchObject({ code: 'WECHAT_UNAVAILABLE', canRetry: true })
  expect(questions).toEqual([])
  await simulator('/faults')
  login.page.retry()
  await login.reaches('asking')
  expect(questions).toMatchObject([{ phone_number: NUMBER }])
})

test('whom the business refuses without a number may give it and try again', async () => {
  answer = (res, { phone_number }) => (phone_number ? admit(res) : refuse(res))
  const login = phoneOf('Second thoughts').login(await code())
  await login.reaches('number')
  login.page.skipNumber()
  expect(await login.reaches('failed')).toMatchObject({ detail: '请授权手机号。', canRetry: true })
  login.page.retry()
  await login.reaches('number')
  login.page.giveNumber(await press())
  await login.reaches('asking')
  expect(questions.at(-1)).toMatchObject({ phone_number: NUMBER })
})

test('whom it refuses with a number is not asked twice for the same code', async () => {
  answer = refuse
  const login = phoneOf('Unknown').login(await code())
  await login.reaches('number')
  login.page.giveNumber(await press())
  expect(await login.reaches('failed')).toMatchObject({ code: 'ACCOUNT_REFUSED', canRetry: false })
})

test('without the setting nobody is asked', async () => {
  await startPhone(cluster, 'Plain')
    .login(await code())
    .reaches('asking')
  expect(questions[0]).not.toHaveProperty('phone_number')
})
