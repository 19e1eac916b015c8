import type { ServerResponse } from 'node:http'
import { fail, ok } from '@saoma/protocol'
import { freePort } from '@saoma/testing'
import * as v from 'valibot'
import { createCoalescingCache } from '../src/access/coalescing-cache.ts'
import { createTokenIntrospection } from '../src/access/token-introspection.ts'
import { createWebhookClient } from '../src/access/webhook-client.ts'
import { createLog } from '../src/operate/log.ts'
import { type BusinessServer, json, startBusinessServer } from './business-server.ts'
import { createClock } from './clock.ts'

const log = createLog({ level: 'silent', node: 'test' })
/** An address. */
const HOME = '203.0.113.7'
const unauthorized = { ok: false, code: 'UNAUTHORIZED' }
const unavailable = { ok: false, code: 'BACKEND_UNAVAILABLE' }

/** So long that no answer is late on a busy machine: what is kept out is kept out by others. */
const PATIENT_MS = 20_000
const serve = async (answer: BusinessServer['answer'], timeoutMs?: number) => {
  const server = await startBusinessServer(answer)
  const clock = createClock()
  return {
    server,
    clock,
    tokens: createTokenIntrospection(server.url, log, { now: clock.now, ...(timeoutMs ? { timeoutMs } : {}) }),
  }
}

test('a token is posted as JSON, and the uid names the person', async () => {
  const { server, tokens } = await serve(json({ uid: 1001 }))
  const before = Date.now()
  const resolved = await tokens.resolve('a token', HOME)
  expect(resolved).toEqual({
    ok: true,
    value: { kind: 'person', issuer: 'business', user: '1001', rooms: [], expiresAt: expect.any(Number) },
  })
  const after = Date.now()
  const expiresAt = resolved.ok ? resolved.value.expiresAt : 0
  expect(expiresAt).toBeGreaterThanOrEqual(before + 600_000)
  expect(expiresAt).toBeLessThanOrEqual(after + 600_000)
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
  const resolved = await tokens.resolve('t', HOME)
  expect(resolved).toMatchObject({ ok: true, value: { user: 'anna', rooms: ['table-7'], sid: 's1' } })
  const after = Date.now()
  const expiresAt = resolved.ok ? resolved.value.expiresAt : 0
  expect(expiresAt).toBeGreaterThanOrEqual(before + 120_000)
  expect(expiresAt).toBeLessThanOrEqual(after + 120_000)
})

test('an expired token is refused as TOKEN_EXPIRED', async () => {
  const { tokens } = await serve(json({ uid: 1, expiresIn: 0 }))
  expect(await tokens.resolve('t', HOME)).toEqual({ ok: false, code: 'TOKEN_EXPIRED' })
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
  ['a number that is no whole one', json({ uid: 1.5 })],
])('nobody is let in by %s', async (_, answer) => {
  const { tokens } = await serve(answer)
  expect(await tokens.resolve('t', HOME)).toEqual(unauthorized)
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
  expect(await tokens.resolve('t', HOME)).toEqual(unavailable)
})

test('nobody is let in or turned away when no server is there', async () => {
  const tokens = createTokenIntrospection(`http://127.0.0.1:${await freePort()}/`, log)
  expect(await tokens.resolve('t', HOME)).toEqual(unavailable)
})

test('a redirect is not followed, because its target would receive the token', async () => {
  const other = await startBusinessServer(json({ uid: 1 }))
  const { server, tokens } = await serve((res) => res.writeHead(307, { location: other.url }).end())
  expect(await tokens.resolve('t', HOME)).toEqual(unavailable)
  expect(server.questions).toHaveLength(1)
  expect(other.questions).toHaveLength(0)
})

test('a token is asked about once, however many come with it, and a yes is remembered', async () => {
  const { server, tokens } = await serve((res, { body }) => json({ uid: body.token })(res, { body } as never))
  const [first, ...others] = await Promise.all(Array.from({ length: 50 }, () => tokens.resolve('anna', HOME)))
  expect(first).toMatchObject({ ok: true, value: { user: 'anna' } })
  expect(new Set(others)).toEqual(new Set([first]))
  await tokens.resolve('anna', HOME)
  expect(server.questions).toHaveLength(1)
  // Another token is another person.
  expect(await tokens.resolve('bert', HOME)).toMatchObject({ ok: true, value: { user: 'bert' } })
  expect(server.questions).toHaveLength(2)
})

test('a yes is not remembered for longer than the token lives', async () => {
  const { server, clock, tokens } = await serve(json({ uid: 1, expiresIn: 20 }))
  await tokens.resolve('t', HOME)
  server.answer = json({}, 401)
  clock.pass(20_000)
  expect(await tokens.resolve('t', HOME)).toMatchObject({ ok: true })
  clock.pass(1)
  expect(await tokens.resolve('t', HOME)).toEqual(unauthorized)
})

test('a no is forgotten after a second, and a failure at once', async () => {
  const { server, clock, tokens } = await serve(json({}, 500))
  expect(await tokens.resolve('t', HOME)).toEqual(unavailable)
  server.answer = json({}, 401)
  expect(await tokens.resolve('t', HOME)).toEqual(unauthorized)
  server.answer = json({ uid: 1 })
  clock.pass(1_000)
  expect(await tokens.resolve('t', HOME)).toEqual(unauthorized)
  clock.pass(1)
  expect(await tokens.resolve('t', HOME)).toMatchObject({ ok: true, value: { user: '1' } })
})

interface AskOptions {
  timeoutMs?: number
  maxInFlight?: number
  maxPerSubject?: number
  now?: () => number
}
const ask = (url: string, options: AskOptions = {}) =>
  createWebhookClient({
    setting: 'TEST',
    url,
    secret: 'a secret',
    answer: v.object({ n: v.number() }),
    refusals: [],
    timeoutMs: 5_000,
    maxInFlight: 10,
    maxPerSubject: 10,
    log,
    ...options,
  })
const silent: BusinessServer['answer'] = () => {}

test('a server that does not answer in time is not asked again for a second', async () => {
  const server = await startBusinessServer(silent)
  const clock = createClock()
  // Long enough for the answer at the end on a busy machine, and spent once.
  const business = ask(server.url, { now: clock.now, timeoutMs: 2_000 })
  expect(await business.ask({}, 'anna')).toEqual({ kind: 'unavailable' })
  server.answer = json({ n: 1 })
  const all = await Promise.all(Array.from({ length: 100 }, () => business.ask({}, 'anna')))
  expect(new Set(all.map(({ kind }) => kind))).toEqual(new Set(['unavailable']))
  expect(server.questions).toHaveLength(1)

  clock.pass(999)
  expect(await business.ask({}, 'anna')).toEqual({ kind: 'unavailable' })
  clock.pass(1)
  expect(await business.ask({}, 'anna')).toEqual({ kind: 'answer', body: { n: 1 } })
  expect(server.questions).toHaveLength(2)
})

test('a question without an answer does not delay the others', async () => {
  const difficult: ServerResponse[] = []
  const server = await startBusinessServer((res, question) => {
    if (question.body.difficult) difficult.push(res)
    else json({ n: 1 })(res, question)
  })
  const business = ask(server.url)
  const answer = business.ask({ difficult: true }, 'anna')
  expect(await business.ask({}, 'anna')).toEqual({ kind: 'answer', body: { n: 1 } })
  while (difficult.length < 1) await server.asked()
  for (const res of difficult) res.writeHead(504).end()
  expect(await answer).toEqual({ kind: 'unavailable' })
  expect(await business.ask({}, 'anna')).toEqual({ kind: 'answer', body: { n: 1 } })
})

test('only a limited number of questions is open at once', async () => {
  const open: ServerResponse[] = []
  const server = await startBusinessServer((res) => open.push(res))
  const business = ask(server.url, { timeoutMs: 5_000, maxInFlight: 2 })
  const first = [business.ask({}, 'anna'), business.ask({}, 'anna')]
  expect(await business.ask({}, 'anna')).toEqual({ kind: 'unavailable' })
  while (open.length < 2) await server.asked()
  for (const res of open) res.end('{"n":1}')
  expect(await Promise.all(first)).toEqual([1, 2].map(() => ({ kind: 'answer', body: { n: 1 } })))
  expect(server.questions).toHaveLength(2)
  expect(server.questions[0]?.headers.authorization).toBe('Bearer a secret')
})

// The subject's other questions wait in their order.
test('the open questions of one subject are limited, and other subjects do not wait', async () => {
  const open: { n: unknown; res: ServerResponse }[] = []
  const server = await startBusinessServer((res, { body }) => open.push({ n: body.n, res }))
  const business = ask(server.url, { timeoutMs: 5_000, maxPerSubject: 2 })
  const told: unknown[] = []
  const all = Array.from({ length: 5 }, async (_, n) => {
    const { kind } = await business.ask({ n }, 'many')
    told.push([n, kind])
  })
  const other = business.ask({ n: 'other' }, 'other')
  while (open.length < 3) await server.asked()
  expect(new Set(open.map(({ n }) => n))).toEqual(new Set([0, 1, 'other']))
  for (let i = 0; i < 6; i++) {
    while (open.length <= i) await server.asked()
    open[i]?.res.end('{"n":1}')
  }
  expect(await other).toEqual({ kind: 'answer', body: { n: 1 } })
  await Promise.all(all)
  expect(open.map(({ n }) => n).filter((n) => n === 2 || n === 3 || n === 4)).toEqual([2, 3, 4])
  expect(told).toHaveLength(5)
  expect(new Set(told.map((one) => (one as unknown[])[1]))).toEqual(new Set(['answer']))
})

test('a question that waits too long for its turn is answered as unavailable', async () => {
  const open: ServerResponse[] = []
  const server = await startBusinessServer((res) => open.push(res))
  const business = ask(server.url, { timeoutMs: 250, maxPerSubject: 1 })
  const [first, second] = [business.ask({}, 'anna'), business.ask({}, 'anna')]
  expect(await Promise.all([first, second])).toEqual([{ kind: 'unavailable' }, { kind: 'unavailable' }])
  expect(server.questions).toHaveLength(1)
})

test('an answer of 429 to one subject does not delay the others', async () => {
  const server = await startBusinessServer((res, question) =>
    json({ n: 1 }, question.body.flood ? 429 : 200)(res, question),
  )
  const business = ask(server.url)
  expect(await business.ask({ flood: true }, 'mallory')).toEqual({ kind: 'unavailable' })
  expect(await business.ask({}, 'anna')).toEqual({ kind: 'answer', body: { n: 1 } })
})

test.each([
  ['one address', () => '198.51.100.1'],
  ['one IPv6 network', (i: number) => `2001:db8:0:1::${i.toString(16)}`],
])('a stranger with hundreds of tokens from %s keeps nobody else out', async (_, addressOf) => {
  const { server, tokens } = await serve((res, question) => {
    if (!String(question.body.token).startsWith('wrong')) json({ uid: 1 })(res, question)
  }, PATIENT_MS)
  const wrong = Array.from({ length: 300 }, (_, i) => tokens.resolve(`wrong ${i}`, addressOf(i)))
  expect(await Promise.race(wrong)).toEqual(unavailable)
  expect(await tokens.resolve('good', HOME)).toMatchObject({ ok: true })
  expect(server.questions.filter(({ body }) => body.token !== 'good')).toHaveLength(8)
  await server.stop()
  expect(new Set((await Promise.all(wrong)).map(({ ok }) => ok))).toEqual(new Set([false]))
})

test('a stranger with a token from each network of a /48 keeps nobody else out', async () => {
  const { server, tokens } = await serve((res, question) => {
    if (!String(question.body.token).startsWith('wrong')) json({ uid: 1 })(res, question)
  }, PATIENT_MS)
  const wrong = Array.from({ length: 1_100 }, (_, i) => tokens.resolve(`wrong ${i}`, `2001:db8:0:${i.toString(16)}::1`))
  expect(await Promise.race(wrong)).toEqual(unavailable)
  expect(await tokens.resolve('good', HOME)).toMatchObject({ ok: true })
  expect(await tokens.resolve('good, too', '2001:db8:1::1')).toMatchObject({ ok: true })
  await server.stop()
  expect(new Set((await Promise.all(wrong)).map(({ ok }) => ok))).toEqual(new Set([false]))
})

test('the questions of one owner leave room in the queue for others', async () => {
  const server = await startBusinessServer((res, question) => {
    if (question.body.good) json({ n: 1 })(res, question)
  })
  const business = ask(server.url, { timeoutMs: PATIENT_MS, maxInFlight: 100, maxPerSubject: 1 })
  const wrong = Array.from({ length: 1_050 }, (_, i) => business.ask({}, `network ${i % 5}`, 'owner'))
  const good = [1, 2].map(() => business.ask({ good: true }, 'school'))
  expect(await Promise.all(good)).toEqual([1, 2].map(() => ({ kind: 'answer', body: { n: 1 } })))
  await server.stop()
  await Promise.all(wrong)
})

test('after an end a token is asked about once more, and that answer is remembered', async () => {
  const { server, tokens } = await serve(json({ uid: 1 }))
  expect(await tokens.resolve('t', HOME)).toMatchObject({ ok: true })
  const since = await Promise.all(Array.from({ length: 20 }, () => tokens.resolve('t', HOME, 'end 1')))
  expect(server.questions).toHaveLength(2)
  expect(new Set(since)).toEqual(new Set([since[0]]))
  expect(since[0]).toMatchObject({ ok: true, value: { user: '1', lastEnd: 'end 1' } })
  expect(await tokens.resolve('t', HOME)).toBe(since[0])
  expect(await tokens.resolve('t', HOME, 'end 1')).toBe(since[0])
  expect(server.questions).toHaveLength(2)
  expect(await tokens.resolve('t', HOME, 'end 2')).toMatchObject({ value: { lastEnd: 'end 2' } })
  expect(server.questions).toHaveLength(3)
})

test('a question from before an end is not shared with callers who know of the end', async () => {
  const open: ServerResponse[] = []
  const { server, tokens } = await serve((res) => open.push(res))
  const before = tokens.resolve('t', HOME)
  const after = tokens.resolve('t', HOME, 'end')
  while (open.length < 2) await server.asked()
  for (const res of open) res.end('{"uid":1}')
  expect((await before).ok && (await after).ok).toBe(true)
  expect(await after).toMatchObject({ value: { lastEnd: 'end' } })
})

/** Asks for what is remembered; tells what had to be asked. */
const remembering = (most: { yes: number; no: number }) => {
  const answers = createCoalescingCache<string>(most)
  const asked: string[] = []
  const get = (question: string, no?: 'no') =>
    answers.get(question, async () => {
      asked.push(question)
      return { value: no ? fail('FORBIDDEN') : ok(question), ms: 60_000 }
    })
  return { asked, get }
}

test('the number of remembered answers is limited, and the oldest one goes first', async () => {
  const { asked, get } = remembering({ yes: 2, no: 2 })
  for (const question of ['a', 'b', 'a', 'c', 'a', 'b']) await get(question)
  expect(asked).toEqual(['a', 'b', 'c', 'b'])
})

test('refusals never push out a yes, however many they are', async () => {
  const { asked, get } = remembering({ yes: 1, no: 2 })
  await get('good')
  for (const question of ['x', 'y', 'z', 'z']) await get(question, 'no')
  await get('good')
  await get('x', 'no')
  expect(asked).toEqual(['good', 'x', 'y', 'z', 'x'])
})
