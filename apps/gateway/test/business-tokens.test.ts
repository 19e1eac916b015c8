import type { ServerResponse } from 'node:http'
import { freePort } from '@saoma/testing'
import * as v from 'valibot'
import { createAnswers } from '../src/live/answers.ts'
import { createBusiness } from '../src/live/business.ts'
import { createBusinessTokens } from '../src/live/business-tokens.ts'
import { createLog } from '../src/log.ts'
import { type BusinessServer, json, startBusinessServer, until } from './business-server.ts'

const log = createLog({ level: 'silent', node: 'test' })
const unauthorized = { ok: false, code: 'UNAUTHORIZED' }
const unavailable = { ok: false, code: 'BACKEND_UNAVAILABLE' }

const serve = async (answer: BusinessServer['answer']) => {
  const server = await startBusinessServer(answer)
  return { server, tokens: createBusinessTokens(server.url, log) }
}

test('a token is posted as JSON, and the uid names the person', async () => {
  const { server, tokens } = await serve(json({ uid: 1001 }))
  const before = Date.now()
  const resolved = await tokens.resolve('a token')
  expect(resolved).toEqual({
    ok: true,
    value: { kind: 'person', issuer: 'business', user: '1001', rooms: [], expiresAt: expect.any(Number) },
  })
  const lifeMs = resolved.ok ? resolved.value.expiresAt - before : 0
  expect(lifeMs).toBeGreaterThanOrEqual(600_000)
  expect(lifeMs).toBeLessThan(610_000)
  expect(server.questions).toEqual([
    {
      path: '/ask',
      headers: expect.objectContaining({ 'content-type': 'application/json' }),
      body: { token: 'a token' },
    },
  ])
})

test('the answer may name rooms, a session and the end of the token', async () => {
  const { tokens } = await serve(json({ uid: 'anna', rooms: ['table-7'], sid: 's1', expiresIn: 120, name: 'Anna' }))
  const before = Date.now()
  const resolved = await tokens.resolve('t')
  expect(resolved).toMatchObject({ ok: true, value: { user: 'anna', rooms: ['table-7'], sid: 's1' } })
  const lifeMs = resolved.ok ? resolved.value.expiresAt - before : 0
  expect(lifeMs).toBeGreaterThanOrEqual(120_000)
  expect(lifeMs).toBeLessThan(125_000)
})

test('a token that is over is one to be refreshed', async () => {
  const { tokens } = await serve(json({ uid: 1, expiresIn: 0 }))
  expect(await tokens.resolve('t')).toEqual({ ok: false, code: 'TOKEN_EXPIRED' })
})

test.each([
  ['401', json({ uid: 1 }, 401)],
  ['403', json({}, 403)],
  ['404', json({}, 404)],
  ['no uid', json({})],
  ['uid null', json({ uid: null })],
  ['uid 0, which is how many say nobody', json({ uid: 0 })],
  ['uid empty', json({ uid: '' })],
  ['a uid that is no name', json({ uid: { id: 1 } })],
  ['a uid with other characters than channels have', json({ uid: '李雷' })],
  ['a uid of 129 characters', json({ uid: 'x'.repeat(129) })],
  ['a number that is none exactly', json({ uid: 2 ** 60 })],
])('nobody is let in by %s', async (_, answer) => {
  const { tokens } = await serve(answer)
  expect(await tokens.resolve('t')).toEqual(unauthorized)
})

test.each([
  ['500', json({ uid: 1 }, 500)],
  ['503', json({ uid: 1 }, 503)],
  ['201', json({ uid: 1 }, 201)],
  ['something that is no JSON', (res: ServerResponse) => res.end('<h1>Welcome</h1>')],
  ['rooms that are none', json({ uid: 1, rooms: 'all' })],
  ['a life that is none', json({ uid: 1, expiresIn: 'soon' })],
  ['more than 64 KiB', json({ uid: 1, padding: 'x'.repeat(65_536) })],
  ['a cut connection', (res: ServerResponse) => res.destroy()],
])('nobody is let in or turned away by %s', async (_, answer) => {
  const { tokens } = await serve(answer as BusinessServer['answer'])
  expect(await tokens.resolve('t')).toEqual(unavailable)
})

test('nobody is let in or turned away when no server is there', async () => {
  const tokens = createBusinessTokens(`http://127.0.0.1:${await freePort()}/`, log)
  expect(await tokens.resolve('t')).toEqual(unavailable)
})

test('a redirect is not followed: whoever it leads to would be handed the token', async () => {
  const other = await startBusinessServer(json({ uid: 1 }))
  const { server, tokens } = await serve((res) => res.writeHead(307, { location: other.url }).end())
  expect(await tokens.resolve('t')).toEqual(unavailable)
  expect(server.questions).toHaveLength(1)
  expect(other.questions).toHaveLength(0)
})

test('a token is asked about once, however many come with it, and a yes is remembered', async () => {
  const { server, tokens } = await serve((res, { body }) => json({ uid: body.token })(res, { body } as never))
  const [first, ...others] = await Promise.all(Array.from({ length: 50 }, () => tokens.resolve('anna')))
  expect(first).toMatchObject({ ok: true, value: { user: 'anna' } })
  expect(new Set(others)).toEqual(new Set([first]))
  await tokens.resolve('anna')
  expect(server.questions).toHaveLength(1)
  // Another token is another person.
  expect(await tokens.resolve('bert')).toMatchObject({ ok: true, value: { user: 'bert' } })
  expect(server.questions).toHaveLength(2)
})

test('a yes is not remembered for longer than the token lives', async () => {
  const { server, tokens } = await serve(json({ uid: 1, expiresIn: 0.1 }))
  await tokens.resolve('t')
  server.answer = json({}, 401)
  expect(
    await until(
      () => tokens.resolve('t'),
      ({ ok }) => !ok,
    ),
  ).toEqual(unauthorized)
})

test('a no is forgotten within about a second, and a failure at once', async () => {
  const { server, tokens } = await serve(json({}, 500))
  expect(await tokens.resolve('t')).toEqual(unavailable)
  server.answer = json({}, 401)
  expect(await tokens.resolve('t')).toEqual(unauthorized)
  server.answer = json({ uid: 1 })
  const start = performance.now()
  expect(await tokens.resolve('t')).toEqual(unauthorized)
  await until(
    () => tokens.resolve('t'),
    ({ ok }) => ok,
  )
  expect(performance.now() - start).toBeLessThan(2_000)
})

const ask = (url: string, options: { timeoutMs?: number; maxInFlight?: number } = {}) =>
  createBusiness({
    setting: 'TEST',
    url,
    secret: 'a secret',
    answer: v.object({ n: v.number() }),
    refusals: [],
    timeoutMs: 250,
    maxInFlight: 10,
    log,
    ...options,
  })
const silent: BusinessServer['answer'] = () => {}

test('a server that does not answer in time is left alone by everybody for a second', async () => {
  const server = await startBusinessServer(silent)
  const business = ask(server.url)
  const start = performance.now()
  expect(await business.ask({})).toEqual({ kind: 'unavailable' })
  expect(performance.now() - start).toBeLessThan(1_000)
  server.answer = json({ n: 1 })
  const all = await Promise.all(Array.from({ length: 100 }, () => business.ask({})))
  expect(new Set(all.map(({ kind }) => kind))).toEqual(new Set(['unavailable']))
  expect(server.questions).toHaveLength(1)

  await until(
    () => business.ask({}),
    ({ kind }) => kind === 'answer',
  )
  expect(performance.now() - start).toBeGreaterThan(1_000)
  expect(server.questions).toHaveLength(2)
})

test('one difficult question does not keep the others from being asked', async () => {
  const server = await startBusinessServer((res, question) => {
    if (question.body.difficult) return
    json({ n: 1 })(res, question)
  })
  const business = ask(server.url)
  const difficult = business.ask({ difficult: true })
  expect(await business.ask({})).toEqual({ kind: 'answer', body: { n: 1 } })
  expect(await difficult).toEqual({ kind: 'unavailable' })
  expect(await business.ask({})).toEqual({ kind: 'answer', body: { n: 1 } })
})

test('so many questions are open at once and no more', async () => {
  const open: ServerResponse[] = []
  const server = await startBusinessServer((res) => open.push(res))
  const business = ask(server.url, { timeoutMs: 5_000, maxInFlight: 2 })
  const first = [business.ask({}), business.ask({})]
  expect(await business.ask({})).toEqual({ kind: 'unavailable' })
  while (open.length < 2) await server.asked()
  for (const res of open) res.end('{"n":1}')
  expect(await Promise.all(first)).toEqual([1, 2].map(() => ({ kind: 'answer', body: { n: 1 } })))
  expect(server.questions).toHaveLength(2)
  expect(server.questions[0]?.headers.authorization).toBe('Bearer a secret')
})

test('as many answers are remembered as may be; the one not given for longest goes first', async () => {
  const answers = createAnswers<string>(2)
  const asked: string[] = []
  const get = (question: string) =>
    answers.get(question, async () => {
      asked.push(question)
      return { value: question, ms: 60_000 }
    })
  for (const question of ['a', 'b', 'a', 'c', 'a', 'b']) await get(question)
  expect(asked).toEqual(['a', 'b', 'c', 'b'])
})
