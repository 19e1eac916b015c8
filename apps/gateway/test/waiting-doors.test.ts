import { once } from 'node:events'
import { LOGIN_ONLY } from '@saoma/protocol'
import {
  confirm,
  connectLogin,
  createTicket,
  type Gateway,
  loginDoors,
  onCleanup,
  phoneToken,
  request,
  scan,
  startGateway,
  startRedis,
} from '@saoma/testing'
import fc from 'fast-check'
import WebSocket from 'ws'
import { seed } from './fixtures.ts'
import { compareDoors, type Frame } from './judge-doors.ts'

/*
 * Socket.IO is the judge: whatever a client says, the door of waiting browsers must answer and close as
 * Socket.IO does. A failing run names its seed and path in the report; put them into FUZZ_SEED to see it
 * again.
 */

let gateway: Gateway

beforeAll(async () => {
  const redis = await startRedis()
  gateway = await startGateway({ redisUrl: redis.url, nodeId: 'a', origin: 'http://127.0.0.1' })
})

const compare = (frames: readonly Frame[]): Promise<string[]> =>
  compareDoors(
    {
      origin: gateway.origin,
      only: LOGIN_ONLY,
      join: '40/login,',
      mark: '42/login,77["watch",null]',
      marked: '43/login,77',
    },
    frames,
  )

const single: Frame[] = [
  ...['', '0', '1', '2', '3', '4', '5', '6', '7', 'x', 'b', 'bAAAA', 'b!', '3probe', '2probe'],
  ...['40', '40/login,', '40/login,{}', '40/login,[]', '40/login,x', '40/other,', '40/', '40{"token":"x"}'],
  ...[
    '40/other',
    '40/other?a=b,',
    '40/login?a=b,',
    '40/other,{"a":1}',
    '40/other,x',
    '40//,',
    '40/login/,',
    '40/中文,',
    '40/a?b=c,d',
  ],
  ...['41', '41/login,', '41/login,{}', '41/other,'],
  ...[
    '42',
    '42["watch"]',
    '42/login,',
    '42/login,[]',
    '42/login,["x"]',
    '42/login,["connect"]',
    '42/login,[1]',
    '42/login,{}',
  ],
  ...['42/login,["watch"]', '42/login,1["watch"]', '42/login,1["watch",{}]', '42/login,1["watch",{"deviceCode":7},2]'],
  ...['42/login,-1["watch"]', '42/login,1.5["watch"]', '42/login,1', '42/other,1["watch"]'],
  ...['43/login,1[]', '43/login,', '43/login,1{}', '44/login,', '44/login,{}', '44/login,"x"', '45/login,', '47', '4x'],
  ...['451-/login,1["watch",{"_placeholder":true,"num":0}]', '45-1/login,1["watch"]', '4599-/login,1["watch"]', '46x'],
  Buffer.alloc(0),
  Buffer.from('4'),
]

test.each(single.map((frame) => [frame]))('the frame %j is answered as by Socket.IO', async (frame) => {
  await compare([frame])
})

test('an event with bytes is refused, and the connection goes on', async () => {
  // Nothing may come between the two, so there is no mark.
  const socket = new WebSocket(
    `${gateway.origin.replace('http', 'ws')}/socket.io/?EIO=4&transport=websocket&${new URLSearchParams(LOGIN_ONLY)}`,
  )
  onCleanup(() => socket.terminate())
  const answers: string[] = []
  const answered = new Promise<void>((resolve) => {
    socket.on('message', (data: Buffer) => {
      answers.push(data.toString())
      if (answers.length === 2) {
        socket.send('451-/login,1["watch",{"_placeholder":true,"num":0}]')
        socket.send(Buffer.from('x'))
      }
      if (answers.length === 3) socket.send('451-/login,2["watch",{"_placeholder":true,"num":0}]')
      if (answers.length === 3) socket.send('bAAAA')
      if (answers.length === 4) resolve()
    })
  })
  await once(socket, 'open')
  socket.send('40/login,')
  await answered
  for (const id of [1, 2]) expect(answers[id + 1]).toMatch(new RegExp(`^43/login,${id}\\[{"ok":false,"code":"INVALID"`))
})

test(`any frames, one after the other, are answered as by Socket.IO (seed ${seed})`, async () => {
  const text = fc.oneof(
    { weight: 4, arbitrary: fc.constantFrom(...single) },
    { weight: 2, arbitrary: fc.json().map((json) => `42/login,5["watch",${json}]`) },
    { weight: 1, arbitrary: fc.json().map((json) => `42/login,${json}`) },
    { weight: 1, arbitrary: fc.string({ unit: 'grapheme' }) },
    { weight: 1, arbitrary: fc.string().map((some) => `4${some}`) },
    { weight: 1, arbitrary: fc.uint8Array({ maxLength: 20 }).map((bytes) => Buffer.from(bytes)) },
  )
  await fc.assert(
    fc.asyncProperty(fc.array(text, { minLength: 1, maxLength: 5 }), async (frames) => {
      await compare(frames)
    }),
    { seed, numRuns: Number(process.env.FUZZ_RUNS ?? 120) },
  )
  // The same process as at the start, no connection left, and no line of it speaks of a failure.
  expect((await request(`${gateway.internalOrigin}/readyz`)).status).toBe(200)
  expect(
    gateway.lines.filter(({ json: line }) => !line || line.level === 'error' || line.event === 'unhandledRejection'),
  ).toEqual([])
})

test('more events than a browser may send are answered as by Socket.IO', async () => {
  const events = Array.from({ length: 12 }, () => '42/login,["anything"]')
  const heard = await compare(events)
  // Ten with their marks, then a word that it was the server.
  expect(heard.slice(-2)).toEqual(['41/login,', 'closed 1005'])
})

test.each(loginDoors)(
  '%s: a refused watch changes nothing, and an accepted one replaces the one before',
  async (_, query) => {
    const phone = await phoneToken(gateway.origin, 'alice')
    const [one, other] = [await createTicket(gateway.origin), await createTicket(gateway.origin)]
    const browser = connectLogin(gateway.origin, { query })
    await browser.next('connect')
    expect(await browser.watch(one.device_code)).toMatchObject({ ok: true })
    expect(await browser.watch('A'.repeat(65))).toMatchObject({ ok: false, code: 'TICKET_NOT_FOUND' })
    expect(await browser.watch(other.device_code)).toMatchObject({ ok: true })
    await scan(gateway.origin, one.ticket, phone)
    await confirm(gateway.origin, one.ticket, phone)
    await scan(gateway.origin, other.ticket, phone)
    expect(await browser.next('ticket')).toMatchObject({ ticket: other.ticket, status: 'scanned' })
    browser.close()
  },
)
