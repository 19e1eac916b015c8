import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createWx, onCleanup } from '@saoma/testing'
import { createWxFetch } from '../../src/wx/index.ts'

const serve = async (answer: (req: IncomingMessage, res: ServerResponse, body: string) => void): Promise<string> => {
  const server = createServer(async (req, res) => {
    let body = ''
    for await (const piece of req) body += piece
    answer(req, res, body)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onCleanup(() => {
    server.close()
    server.closeAllConnections()
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
}

/** Tells what came. */
const mirror = () =>
  serve((req, res, body) => {
    const { method, headers } = req
    const { 'content-type': type, authorization, referer } = headers
    res.setHeader('x-request-id', 'r1')
    res.statusCode = method === 'DELETE' ? 404 : 200
    res.end(JSON.stringify({ method, type, authorization, referer, body }))
  })

test('method, headers and body arrive, and so do the answer’s status, headers and body', async () => {
  const url = await mirror()
  const fetch = createWxFetch(createWx().wx)
  const answer = await fetch(url, {
    method: 'post',
    headers: { Authorization: 'Bearer t', 'Content-Type': 'application/json', Referer: 'https://elsewhere/' },
    body: '{"a":"扫码"}',
  })
  expect(answer).toMatchObject({ ok: true, status: 200, body: null })
  expect(answer.headers.get('X-Request-Id')).toBe('r1')
  expect(answer.headers.get('x-nothing')).toBeNull()
  expect(await answer.json()).toEqual({
    method: 'POST',
    type: 'application/json',
    authorization: 'Bearer t',
    body: '{"a":"扫码"}',
    referer: expect.stringMatching(/^https:\/\/servicewechat\.com\//),
  })
  const refused = await fetch(new URL(url), { method: 'DELETE', headers: new Headers({ authorization: 'x' }) })
  expect(refused).toMatchObject({ ok: false, status: 404 })
  expect(JSON.parse(await refused.text())).toMatchObject({ method: 'DELETE', authorization: 'x', body: '' })
})

test('form fields and bytes are sent with their types; other bodies are refused', async () => {
  const url = await mirror()
  const fetch = createWxFetch(createWx().wx)
  const form = await fetch(url, { method: 'POST', body: new URLSearchParams({ a: '1 2' }) })
  expect(await form.json()).toMatchObject({
    type: expect.stringMatching(/^application\/x-www-form-urlencoded/),
    body: 'a=1+2',
  })
  const bytes = await fetch(url, { method: 'POST', body: new TextEncoder().encode('<ab>').subarray(1, 3) })
  expect(await bytes.json()).toMatchObject({ body: 'ab' })
  await expect(fetch(url, { method: 'POST', body: new FormData() })).rejects.toThrow(TypeError)
})

test('an abort ends both sides at once with the given reason', async () => {
  const { promise: left, resolve: leave } = Promise.withResolvers<void>()
  const { promise: asked, resolve: ask } = Promise.withResolvers<void>()
  const url = await serve((_req, res) => {
    res.on('close', leave)
    ask()
  })
  const fetch = createWxFetch(createWx().wx)
  const controller = new AbortController()
  const answer = fetch(url, { signal: controller.signal })
  await asked
  controller.abort(new Error('no longer needed'))
  await expect(answer).rejects.toThrow('no longer needed')
  await left
  await expect(fetch(url, { signal: controller.signal })).rejects.toThrow('no longer needed')
})

// This includes a request that the background interrupts.
test('a missing answer is a TypeError with WeChat’s message', async () => {
  const { promise: asked, resolve: ask } = Promise.withResolvers<void>()
  const url = await serve(() => ask())
  const phone = createWx()
  const fetch = createWxFetch(phone.wx)
  const interrupted = expect(fetch(url)).rejects.toThrow(new TypeError('request:fail interrupted'))
  await asked
  phone.background()
  phone.foreground()
  await interrupted
  phone.offline()
  await expect(fetch(url)).rejects.toThrow(TypeError)
  phone.online()
  // Refused before the call is over.
  const { signal } = new AbortController()
  await expect(fetch(url, { method: 'PATCH', signal })).rejects.toThrow(TypeError)
})

test('more than ten requests at once wait their turn, and all are answered', async () => {
  const waiting: ServerResponse[] = []
  let most = 0
  const { promise: full, resolve: fill } = Promise.withResolvers<void>()
  let isFree = false
  const url = await serve((_req, res) => {
    if (isFree) return void res.end('1')
    most = waiting.push(res)
    if (most === 10) fill()
  })
  const fetch = createWxFetch(createWx().wx)
  const answers = Array.from({ length: 25 }, () => fetch(url).then((answer) => answer.json()))
  await full
  isFree = true
  for (const res of waiting) res.end('1')
  expect(await Promise.all(answers)).toEqual(Array(25).fill(1))
  expect(most).toBe(10)
})

test('an event stream is not requested and looks like one that is held back', async () => {
  const phone = createWx()
  const answer = await createWxFetch(phone.wx)('http://saoma/', { headers: { accept: 'text/event-stream' } })
  expect(answer).toMatchObject({ ok: true, body: null })
  expect(phone.requests).toEqual([])
})
