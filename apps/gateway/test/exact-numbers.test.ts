import { exactText, parseExact } from '@saoma/protocol'
import { connectLive, connectWs, startCluster, testApiKey } from '@saoma/testing'
import { roomsOf } from './fixtures.ts'

const cluster = await startCluster({ nodes: 2 })
const { origin } = cluster
/** As they are written. */
const NUMBERS = [
  '1234567890123456789',
  '{"id":9007199254740993,"of":[-18446744073709551615]}',
  '12345678901234567890123',
  '3.14159265358979323846264338327950288',
  '1e-400',
]
const openRoom = roomsOf('open-exact')
const post = (text: string) =>
  fetch(`${origin}/v1/publish`, {
    method: 'POST',
    headers: { authorization: `Bearer ${testApiKey}`, 'content-type': 'application/json' },
    body: text,
  })
/** As every door says it: the text, before anybody has parsed it. */
const kept = async (channel: string) => {
  const answer = await fetch(`${cluster.nodes[1]?.origin}/v1/channels/${channel}/messages?limit=10`, {
    headers: { authorization: `Bearer ${testApiKey}` },
  })
  return [...(await answer.text()).matchAll(/"data":(.*?),"(?:time|from)"/g)].map(([, data]) => data)
}

test.each(NUMBERS)(
  '%s arrives as it was written, by HTTP, Socket.IO, the event stream and a plain WebSocket',
  async (data) => {
    const channel = openRoom()
    const frames: string[] = []
    const listener = connectLive(origin, { token: testApiKey })
    await listener.next('connect')
    listener.socket.io.engine.on('data', (frame: unknown) => frames.push(String(frame)))
    await listener.subscribe({ channel })
    const ws = await connectWs(origin)
    ws.send(JSON.stringify({ op: 'auth', token: testApiKey }))
    await ws.next()
    ws.send(JSON.stringify({ op: 'subscribe', channel }))
    await ws.next()

    expect((await post(`{"channel":"${channel}","event":"e","data":${data}}`)).status).toBe(200)
    expect(`${await ws.next()}`).toContain(`"data":${data}`)
    ws.send(`{"op":"publish","id":1,"channel":"${channel}","event":"e","data":${data}}`)
    const said = [`${await ws.next()}`, `${await ws.next()}`].join()
    expect(said).toContain(`"data":${data}`)
    // As a client that is not JavaScript would send it.
    listener.socket.io.engine.write(`2["publish",{"channel":"${channel}","event":"e","data":${data}}]`)
    for (let i = 0; i < 3; i++) await listener.next('message')
    expect(frames.filter((frame) => frame.includes(`"data":${data}`))).toHaveLength(3)
    expect(await kept(channel)).toEqual([data, data, data])
    // A page of the log by every door.
    const late = connectLive(origin, { token: testApiKey })
    const pages: string[] = []
    await late.next('connect')
    late.socket.io.engine.on('data', (frame: unknown) => pages.push(String(frame)))
    await late.subscribe({ channel, history: 10 })
    expect(pages.join().split(`"data":${data}`)).toHaveLength(4)
    ws.send(JSON.stringify({ op: 'unsubscribe', channel }))
    await ws.next()
    ws.send(JSON.stringify({ op: 'subscribe', id: 2, channel, history: 10 }))
    let page = ''
    while (!page.includes('"id":2')) page = `${await ws.next()}`
    expect(page.split(`"data":${data}`)).toHaveLength(4)
    ws.close()
  },
)

test('an idempotency key distinguishes numbers that differ after the sixteenth digit', async () => {
  const channel = openRoom()
  const say = async (id: string) => {
    const answer = await post(`{"channel":"${channel}","event":"e","data":{"id":${id}},"idempotencyKey":"k"}`)
    return { status: answer.status, body: await answer.json() }
  }
  expect(await say('1234567890123456789')).toMatchObject({ status: 200 })
  expect(await say('1234567890123456789')).toMatchObject({ status: 200, body: { repeated: true } })
  expect(await say('1234567890123456790')).toMatchObject({ body: { code: 'KEY_REUSED' } })
})

// Other readers would lose the whole page over it.
test('a number beyond any range is refused, and the refusal names its place', async () => {
  const channel = openRoom()
  const answer = await post(`{"channel":"${channel}","event":"e","data":{"price":1e400}}`)
  expect([answer.status, await answer.json()]).toMatchObject([
    422,
    { code: 'INVALID', detail: expect.stringContaining('price is 1e400') },
  ])
  const ws = await connectWs(origin)
  ws.send(JSON.stringify({ op: 'auth', token: testApiKey }))
  await ws.next()
  ws.send(`{"op":"publish","channel":"${channel}","event":"e","data":-1e999}`)
  expect(`${await ws.next()}`).toContain('INVALID')
  const live = connectLive(origin, { token: testApiKey })
  await live.next('connect')
  const frames: string[] = []
  live.socket.io.engine.on('data', (frame: unknown) => frames.push(String(frame)))
  live.socket.io.engine.write(`277["publish",{"channel":"${channel}","event":"e","data":[1e400]}]`)
  expect(await live.publish({ channel, event: 'e', data: 1 })).toMatchObject({ ok: true, offset: 1 })
  expect(frames.find((frame) => frame.startsWith('377['))).toContain('"code":"INVALID"')
})

test('an id of 64 bits comes back as it was written', async () => {
  const ws = await connectWs(origin)
  ws.send(`{"op":"auth","id":1234567890123456789,"token":"${testApiKey}"}`)
  expect(`${await ws.next()}`).toContain('"id":1234567890123456789')
})

test('bytes are refused with their place, and nothing is published', async () => {
  const channel = openRoom()
  const live = connectLive(origin, { token: testApiKey })
  await live.next('connect')
  for (const [data, path] of [
    [Buffer.from('hi'), 'data'],
    [{ picture: { of: [new Uint8Array(3)] } }, 'data.picture.of.0'],
  ] as const)
    expect(await live.publish({ channel, event: 'e', data })).toMatchObject({
      ok: false,
      code: 'INVALID',
      message: expect.stringContaining(`${path} holds bytes`),
    })
  expect(await live.publish({ channel, event: 'e', data: 1 })).toMatchObject({ ok: true, offset: 1 })
})

test('numbers that a double can hold are numbers in any notation', () => {
  for (const text of [
    '1e3',
    '1.0',
    '-0.5e-3',
    '1.50e2',
    '100000000000000000000',
    '0.1234567890123456',
    '1e21',
    '5e-324',
    '0e0',
  ])
    expect([text, parseExact(text)]).toEqual([text, Number(text)])
  for (const text of ['1e400', '9007199254740993', '0.1000000000000000055511151231257827', '1e-400'])
    expect([typeof parseExact(text), exactText(parseExact(text)), JSON.stringify(parseExact(text))]).toEqual([
      'object',
      text,
      text,
    ])
  expect(exactText({ rawJSON: '1' })).toBeUndefined()
  expect(exactText('1')).toBeUndefined()
})
