import { randomUUID } from 'node:crypto'
import { connectLive, request, testApiKey, webToken } from '@saoma/testing'
import type { Job } from '../src/jobs.ts'
import { sign } from '../src/signature.ts'
import { courierSecret, type Restaurant, startRestaurant } from './start.ts'

let restaurant: Restaurant
let ana: string
let ben: string

beforeAll(async () => {
  restaurant = await startRestaurant(1_000)
  const { origin } = restaurant.cluster
  ana = (await webToken(origin, 'Ana')).access_token
  ben = (await webToken(origin, 'Ben')).access_token
})

const begin = async (token: string, name = randomUUID()): Promise<Job> => {
  const { status, body } = await restaurant.post<Job>('jobs', token, { request: name, city: 'Hangzhou' })
  expect(status).toBe(202)
  return body
}

/** What the courier would send, signed by whoever knows how. */
const webhook = (job: string, number: string, signature?: (body: Buffer) => string) => {
  const json = { job, quote: { number, price: 1_600, days: 2 } }
  const header = (signature ?? ((body) => sign(courierSecret, body)))(Buffer.from(JSON.stringify(json)))
  return request(`${restaurant.cluster.origin}/shop/webhooks/courier`, {
    json,
    headers: { 'x-courier-signature': header },
  })
}

const told = async (job: string): Promise<{ messages: unknown[] }> => {
  const url = `${restaurant.cluster.origin}/v1/channels/${encodeURIComponent(`room:job-${job}`)}/messages?limit=10`
  return (await request<{ messages: unknown[] }>(url, { bearer: testApiKey })).body
}

test('the courier’s answer reaches only the person who asked', async () => {
  const { id } = await begin(ana)
  const [page, stranger] = [ana, ben].map((token) => connectLive(restaurant.cluster.origin, { token }))
  const channel = `room:job-${id}`
  expect(await stranger?.subscribe({ channel })).toMatchObject({ ok: false, code: 'FORBIDDEN' })
  const begun = await page?.subscribe({ channel, history: 1 })
  expect(begun).toMatchObject({ ok: true })
  const answer = begun?.ok && begun.messages[0] ? begun.messages[0] : await page?.next('message')
  const quote = { number: expect.any(String), price: expect.any(Number), days: expect.any(Number) }
  expect(answer).toMatchObject({ event: 'finished', data: { quote } })

  expect((await restaurant.get(`jobs/${id}`, ana)).body).toMatchObject({ status: 'done', quote })
  expect((await restaurant.get(`jobs/${id}`, ben)).status).toBe(404)
})

test('a repeated webhook changes nothing and announces nothing', async () => {
  const { id } = await begin(ana)
  const answers = await Promise.all(['first', 'first', 'second'].map((number) => webhook(id, number)))
  expect(answers.map(({ status }) => status)).toEqual([204, 204, 204])
  const { body } = await restaurant.get<Job>(`jobs/${id}`, ana)
  expect((await webhook(id, 'third')).status).toBe(204)
  expect((await restaurant.get<Job>(`jobs/${id}`, ana)).body).toEqual(body)
  const page = connectLive(restaurant.cluster.origin, { token: ana })
  const begun = await page.subscribe({ channel: `room:job-${id}`, history: 10 })
  const first = begun.ok && begun.messages[0] ? begun.messages[0] : await page.next('message')
  expect(first.data).toEqual({ quote: body.quote })
  expect((await told(id)).messages).toHaveLength(1)
})

test.each([
  ['without a signature', () => ''],
  ['signed with another secret', (body: Buffer) => sign('another secret of another company', body)],
  ['signed for another body', () => sign(courierSecret, Buffer.from('{}'))],
  ['signed ten minutes ago', (body: Buffer) => sign(courierSecret, body, Math.floor(Date.now() / 1_000) - 600)],
  ['with a signature that is cut off', (body: Buffer) => sign(courierSecret, body).slice(0, -2)],
])('a webhook %s is refused', async (_, signature) => {
  const { id } = await begin(ana)
  expect(await webhook(id, 'forged', signature)).toMatchObject({ status: 401, body: { code: 'UNAUTHORIZED' } })
  expect((await restaurant.get(`jobs/${id}`, ana)).body).not.toMatchObject({ quote: { number: 'forged' } })
})

test('a webhook for a missing job is a 404', async () => {
  expect((await webhook('nothing', 'x')).status).toBe(404)
})

test('the hook answers only callers with its secret and only allows following', async () => {
  const { id } = await begin(ana)
  const [, payload = ''] = ana.split('.')
  const { sub } = JSON.parse(Buffer.from(payload, 'base64url').toString())
  const ask = (question: object, bearer = 'a secret of tests, which a hook is asked with') =>
    request(`${restaurant.cluster.origin}/shop/hook`, { json: question, bearer })
  const question = { action: 'follow', channel: `room:job-${id}`, user: sub }
  expect((await ask(question)).body).toMatchObject({ allow: true })
  for (const other of [
    { action: 'publish' },
    { user: 'somebody' },
    { channel: 'room:chat-1' },
    { channel: 'room:job-' },
  ])
    expect((await ask({ ...question, ...other })).body).toEqual({ allow: false })
  expect((await ask(question, 'wrong')).status).toBe(401)
})

test('a job that is requested again is the same job', async () => {
  const name = randomUUID()
  const jobs = await Promise.all([begin(ana, name), begin(ana, name), begin(ana, name)])
  expect(new Set(jobs.map(({ id }) => id)).size).toBe(1)
  expect((await begin(ben, name)).id).not.toBe(jobs[0]?.id)
})

test('a job survives a kill of the shop', async () => {
  const { id } = await begin(ana)
  const page = connectLive(restaurant.cluster.origin, { token: ana })
  expect(await page.subscribe({ channel: `room:job-${id}` })).toMatchObject({ ok: true })
  await restaurant.shop.kill('SIGKILL')
  await restaurant.shop.restart()
  expect(await page.next('message')).toMatchObject({ event: 'finished', data: { quote: expect.any(Object) } })
})

test('a notice waits while Saoma is unreachable and arrives once', async () => {
  const page = connectLive(restaurant.cluster.origin, { token: ana })
  await page.next('connect')
  // So that the shop has the keys of the tokens.
  expect((await restaurant.get('tables/1', ana)).status).toBe(200)
  await restaurant.cluster.nginx.kill('SIGKILL')
  // Past nginx, as if only the way between the two were broken.
  const notice = { id: randomUUID(), text: 'Your noodles are ready.' }
  const url = `http://127.0.0.1:${restaurant.shop.port}/shop/notices`
  expect((await request(url, { json: notice, bearer: ana })).status).toBe(202)
  expect((await request(url, { json: notice, bearer: ana })).status).toBe(202)
  await restaurant.cluster.nginx.restart()
  await page.next('disconnect')
  await page.next('connect')

  const { body } = await restaurant.post<{ due: string }>('notices', ana, { id: randomUUID(), text: 'The last one.' })
  expect(Date.parse(body.due)).toBeLessThanOrEqual(Date.now())
  const begun = await page.subscribe({ channel: '@user', history: 10 })
  const texts = begun.ok ? begun.messages.map(({ data }) => (data as { text: string }).text) : []
  while (texts.at(-1) !== 'The last one.') texts.push(((await page.next('message')).data as { text: string }).text)
  expect(texts).toEqual(['Your noodles are ready.', 'The last one.'])
})
