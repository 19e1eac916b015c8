import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setImmediate as turn } from 'node:timers/promises'
import { LogEntry } from '@saoma/channels'
import { type Failed, fail, ok } from '@saoma/protocol'
import { createRedis } from '@saoma/redis'
import { connectWs, onCleanup, startRedis, until, type WsClient } from '@saoma/testing'
import fc from 'fast-check'
import type { Authenticate } from '../src/access/principal.ts'
import { type ConnmixDoorOptions, createConnmixDoor } from '../src/live/connmix/door.ts'
import type { Live } from '../src/live/live.ts'
import type { LiveConnection } from '../src/live/live-connection.ts'
import { createLiveConnections } from '../src/live/live-connections.ts'
import { createLog } from '../src/operate/log.ts'
import { createMetrics } from '../src/operate/metrics.ts'
import { createLimits } from '../src/transport/limits.ts'
import { type AdmissionOptions, createJudge } from '../src/transport/socket/admission.ts'
import type { Act } from '../src/transport/socket/answer-event.ts'
import { routeUpgrades } from '../src/transport/socket/upgrades.ts'
import { createClock } from './clock.ts'
import { stallAndEnd } from './stall-and-end.ts'

/** The door alone: what is asked through it, this file answers. */

type Ack = (answer: { ok: true; [member: string]: unknown } | Failed) => void
interface Asked {
  event: string
  body: { channel?: string; token?: string }
  ack: Ack
}

const server = await startRedis()
const redis = await createRedis({ url: server.url })
onCleanup(() => redis.close())
const enough = {
  codesPerMinute: 1e6,
  requestsPerMinute: 1e6,
  decisionsPerMinute: 1e6,
  handshakesPerMinute: 1e6,
  eventsPerTenSeconds: 1e6,
  keyEventsPerTenSeconds: 1e6,
  channels: 100,
  bufferBytes: 1e6,
  messageBytes: 32_768,
  personMessages: 1_000,
  personBytes: 1_000_000,
  personBytesADay: 1_000_000,
  personChannels: 100,
  personFollows: 100,
  keyBytes: 0,
  codesInCluster: 1_000,
  badPhoneCodes: 100,
  phoneCodesInCluster: 1_000,
  demoPeople: 100,
}

interface DoorOptions extends Partial<ConnmixDoorOptions & AdmissionOptions> {
  limits?: Partial<typeof enough>
}

/** One for all doors: each adds to what runs at the end of the process. */
const log = createLog({ level: 'silent', node: 'a' })

/** A person's name is the token, and only one is known. */
const authenticate: Authenticate = async (token) =>
  token === 'ann'
    ? ok({ kind: 'person', issuer: 'saoma', user: 'ann', expiresAt: Date.now() + 3_600_000, rooms: [] })
    : fail('UNAUTHORIZED')

const openDoor = async ({ limits: some = {}, ...options }: DoorOptions = {}) => {
  const http = createServer()
  const metrics = createMetrics()
  const limits = createLimits(redis, { ...enough, ...some }, metrics)
  const admission = {
    origins: { allows: () => true, admits: () => true },
    addressOf: () => '127.0.0.1',
    isDraining: () => false,
    ...options,
  }
  const doorOptions = { ...admission, nodeId: 'a', maxBufferBytes: enough.bufferBytes, maxPayload: 36_000 }
  const asked: Asked[] = []
  let onAsked = (_: Asked) => {}
  const act =
    (event: string): Act<LiveConnection> =>
    (_, body) =>
      new Promise((resolve) => {
        const one: Asked = {
          event,
          body: body as Asked['body'],
          ack: (answer) => resolve(answer.ok ? { ok: true, value: { ...answer, ok: undefined } } : answer),
        }
        asked.push(one)
        onAsked(one)
      })
  const names = ['subscribe', 'unsubscribe', 'publish', 'presence', 'read', 'refresh'] as const
  const requests = Object.fromEntries(names.map((name) => [name, act(name)])) as Record<
    (typeof names)[number],
    Act<LiveConnection>
  >
  const audit = { refusals: { count: () => {}, of: () => {} } }
  const live = createLiveConnections({
    live: {} as Live,
    limits,
    revocations: { watch: async () => ok({ close: () => {} }), close: () => {} },
    authenticate,
    metrics,
    audit,
    log,
    maxChannels: enough.channels,
    origin: 'http://node.test',
  })
  const opened: LiveConnection[] = []
  const connections = {
    ...live,
    open: (connection: LiveConnection) => {
      opened.push(connection)
      live.open(connection)
    },
  }
  const door = createConnmixDoor({ limits, audit, log, metrics, connections, requests }, doorOptions)
  routeUpgrades(
    http,
    [door],
    {
      judge: createJudge({ limits, metrics, audit, log }, admission),
      proxies: { note: () => {} },
      metrics,
      log,
    },
    doorOptions,
  )
  await once(http.listen(0, '127.0.0.1'), 'listening')
  onCleanup(async () => {
    live.stop()
    door.close()
    http.close()
    http.closeAllConnections()
  })
  const origin = `http://127.0.0.1:${(http.address() as AddressInfo).port}`
  return {
    origin,
    asked,
    opened,
    guests: door.guests,
    close: door.close,
    /** How many connections there were, and how many are over. */
    count: async (what: 'opened' | 'closed') =>
      (await metrics[what].get()).values.reduce((sum, { value }) => sum + value, 0),
    /** Calls back for what was asked and for what will be. */
    eachAsked: (listener: (asked: Asked) => void) => {
      asked.forEach(listener)
      onAsked = listener
    },
    /** Resolves when so many requests have come through. */
    reached: (count: number) =>
      new Promise<void>((resolve) => {
        if (asked.length >= count) return resolve()
        onAsked = () => {
          if (asked.length >= count) resolve()
        }
      }),
    enter: async (): Promise<WsClient> => {
      const client = await connectWs(origin)
      expect(await client.ask({ op: 'auth', token: 'ann' })).toBe('{"result":true}')
      return client
    },
  }
}

const presence = (id: number) => ({ op: 'presence', channel: 'room:x', id })

describe('the order of answers', () => {
  test('answers go out in the order of the requests, whichever is ready first', async () => {
    const door = await openDoor()
    const client = await door.enter()
    for (const id of [1, 2, 3]) client.send(presence(id))
    client.send('nonsense')
    await door.reached(3)
    for (const i of [2, 1, 0]) door.asked[i]?.ack({ ok: true, n: i })
    expect([await client.next(), await client.next(), await client.next(), await client.next()]).toEqual([
      '{"result":true,"n":0,"id":1}',
      '{"result":true,"n":1,"id":2}',
      '{"result":true,"n":2,"id":3}',
      '{"code":1,"msg":"Error","error":"INVALID"}',
    ])
  })

  test('a subscription waits for earlier requests, and later requests wait for it', async () => {
    const door = await openDoor()
    const client = await door.enter()
    client.send(presence(1))
    client.send({ op: 'subscribe', channel: 'room:x' })
    client.send(presence(2))
    client.send({ op: 'unsubscribe', channel: 'room:x' })
    const open: Asked[] = []
    const turns: string[] = []
    const done = new Promise<void>((resolve) => {
      door.eachAsked((asked) => {
        open.push(asked)
        turns.push(`${asked.event} with ${open.length} open`)
        // Only when the others have had every chance to come.
        client.ask('ping').then(() => {
          open.splice(open.indexOf(asked), 1)
          asked.ack({ ok: true, channel: 'room:x' })
          if (asked.event === 'unsubscribe') resolve()
        })
      })
    })
    await done
    expect(turns).toEqual([
      'presence with 1 open',
      'subscribe with 1 open',
      'presence with 1 open',
      'unsubscribe with 1 open',
    ])
  })

  test('requests may follow auth at once, without waiting for its answer', async () => {
    const door = await openDoor()
    door.eachAsked(({ ack }) => ack({ ok: true }))
    const client = await connectWs(door.origin)
    client.send({ op: 'unsubscribe', channel: '@user' })
    client.send({ op: 'auth', token: 'nobody' })
    client.send({ op: 'unsubscribe', channel: '@user' })
    client.send({ op: 'auth', token: 'ann' })
    client.send({ op: 'unsubscribe', channel: '@user' })
    const answers = []
    for (let i = 0; i < 5; i++) answers.push(await client.next())
    expect(answers).toEqual([
      '{"code":1,"msg":"Not Auth"}',
      '{"code":1,"msg":"Not Auth","error":"UNAUTHORIZED","react":"reauth"}',
      '{"code":1,"msg":"Not Auth"}',
      '{"result":true}',
      '{"result":true}',
    ])
  })

  test('a second auth brings a newer token', async () => {
    const door = await openDoor()
    const client = await door.enter()
    client.send({ op: 'auth', token: 'newer' })
    await door.reached(1)
    expect(door.asked[0]).toMatchObject({ event: 'refresh', body: { token: 'newer' } })
    door.asked[0]?.ack({ ok: true, expiresIn: 5 })
    expect(await client.next()).toBe('{"result":true}')
  })

  // Then it gets all of them in order.
  test('a client that asks far ahead is read no further until it has its answers', async () => {
    const door = await openDoor()
    const [client, neighbour] = [await door.enter(), await connectWs(door.origin)]
    const requests = 400
    const data = 'x'.repeat(30_000)
    for (let id = 0; id < requests; id++) client.send({ op: 'publish', channel: 'room:x', event: 'e', data, id })
    await door.reached(1)
    for (let i = 0; i < 200; i++) await neighbour.ask('ping')
    expect(door.asked.length).toBeLessThan(20)
    door.eachAsked(({ ack }) => ack({ ok: true }))
    for (let id = 0; id < requests; id++) expect(await client.next()).toBe(`{"result":true,"id":${id}}`)
  })
})

describe('what is not let in', () => {
  test.each([
    ['a node that is going away', { isDraining: () => true }, 503],
    ['a foreign origin', { origins: { allows: () => false, admits: () => false } }, 403],
    ['too many handshakes of one address', { limits: { handshakesPerMinute: 0 } }, 429],
  ])('a handshake is refused for %s', async (_, options, status) => {
    const door = await openDoor(options)
    const origin = 'https://elsewhere.example'
    await expect(connectWs(door.origin, { origin })).rejects.toThrow(`${status}`)
    expect(await door.count('opened')).toBe(0)
  })

  test('a client that does not authenticate in time is closed', async () => {
    const door = await openDoor({ authMs: 50 })
    const client = await connectWs(door.origin)
    expect(await client.closed()).toEqual({ code: 1008, reason: 'Not Auth' })
  })
})

describe('what is closed', () => {
  test.each([
    ['bytes', (client: WsClient) => client.socket.send(Buffer.from('ping')), 1003],
    ['a frame that is too large', (client: WsClient) => client.send('x'.repeat(36_001)), 1009],
    ['text that is none', (client: WsClient) => client.socket.send(Buffer.from([0xff]), { binary: false }), 1007],
  ])('a client that sends %s is closed', async (_, act, code) => {
    const door = await openDoor()
    const client = await door.enter()
    act(client)
    expect(await client.closed()).toMatchObject({ code })
  })

  test('a client that sends garbage without end is closed', async () => {
    const door = await openDoor({ limits: { eventsPerTenSeconds: 20 } })
    const client = await door.enter()
    for (let i = 0; i < 200; i++) client.send('garbage')
    expect(await client.closed()).toEqual({ code: 1008, reason: 'RATE_LIMITED' })
  })

  test('a client that says nothing is closed, and one that does goes on', async () => {
    const clock = createClock()
    const door = await openDoor({ now: clock.now })
    const [silent, talking] = [await door.enter(), await door.enter()]
    clock.pass(30_000)
    expect(await talking.ask('ping')).toBe('pong')
    clock.pass(30_001)
    expect(await silent.closed()).toEqual({ code: 1000, reason: 'idle' })
    expect(await talking.ask('ping')).toBe('pong')
    clock.pass(60_001)
    expect(await talking.closed()).toEqual({ code: 1000, reason: 'idle' })
  })

  test('a closed client that has ended its side and reads nothing keeps no connection', async () => {
    const clock = createClock()
    const door = await openDoor({ now: clock.now })
    const { socket } = await door.enter()
    const [guest] = door.guests()
    if (!guest?.tcp) throw new Error('the door does not know it')
    await stallAndEnd(socket, guest.tcp)
    const closed = once(guest.tcp, 'close')
    clock.pass(60_001)
    await closed
  })

  /** Asks on and on and reads nothing, until it is cut off. */
  const beSlow = async (door: Awaited<ReturnType<typeof openDoor>>): Promise<WsClient> => {
    const client = await door.enter()
    const [connection] = door.guests().slice(-1)
    const neighbour = await connectWs(door.origin)
    client.socket.pause()
    const page = 'x'.repeat(200_000)
    const more = () => client.send(presence(0))
    door.eachAsked(({ ack }) => {
      ack({ ok: true, page })
      more()
    })
    more()
    while (connection?.isOpen) await neighbour.ask('ping')
    return client
  }

  test('a client that asks on and on and reads no answer is closed', async () => {
    const client = await beSlow(await openDoor())
    client.socket.resume()
    expect(await client.closed()).toEqual({ code: 1013, reason: 'SLOW_READER' })
  })

  test('a reader that was cut off is gone even when it does not listen', async () => {
    const door = await openDoor()
    await beSlow(door)
    expect(
      await until(
        () => door.count('closed'),
        (closed) => closed === 1,
      ),
    ).toBe(1)
  })

  test('a burst does not reach behind the close frame of a client that is being closed', async () => {
    const door = await openDoor()
    const client = await door.enter()
    client.send({ op: 'subscribe', channel: 'room:x' })
    await door.reached(1)
    door.asked[0]?.ack({ ok: true, channel: 'room:x' })
    expect(await client.next()).toBe('{"result":true}')
    const [connection] = door.guests()
    const kept = new LogEntry('room:x', 'e', 1, '"event":"n","data":1,"time":1')
    // A server that went on writing would end with an error of the socket, and the client without the code.
    client.send('x'.repeat(36_001))
    let written = 0
    while (connection?.isOpen) {
      written += Number(connection.messages([kept]))
      await turn()
    }
    expect(written).toBeGreaterThan(0)
    expect(await client.closed()).toMatchObject({ code: 1009 })
  })

  test('a closing door closes its clients, with the word for a restart while draining', async () => {
    let draining = false
    const door = await openDoor({ isDraining: () => draining })
    const client = await door.enter()
    draining = true
    door.close()
    expect(await client.closed()).toEqual({ code: 1012, reason: 'drain' })
  })

  test('the end of a session closes its client, with the reason in a frame before', async () => {
    const door = await openDoor()
    const client = await door.enter()
    for (const connection of door.opened) connection.end({ code: 'TOKEN_EXPIRED' })
    expect(await client.next()).toBe('{"code":1,"msg":"Not Auth","error":"TOKEN_EXPIRED"}')
    expect(await client.closed()).toMatchObject({ code: 4401 })
  })
})

test('each frame gets one answer whatever it is, and the connection goes on', async () => {
  const door = await openDoor()
  door.eachAsked(({ ack }) => ack({ ok: false, code: 'INVALID' }))
  const op = fc.constantFrom('auth', 'subscribe', 'unsubscribe', 'publish', 'presence', 'read', 'refresh', 'none')
  const object = fc.record(
    { op, channel: fc.jsonValue(), since: fc.jsonValue(), data: fc.jsonValue(), id: fc.jsonValue(), m: fc.jsonValue() },
    { requiredKeys: ['op'] },
  )
  const frame = fc.oneof(
    fc.string(),
    fc.json(),
    object.map((value) => JSON.stringify(value)),
  )
  await fc.assert(
    fc.asyncProperty(fc.array(frame, { maxLength: 20 }), fc.boolean(), async (frames, enters) => {
      const client = enters ? await door.enter() : await connectWs(door.origin)
      for (const text of frames) client.send(text)
      client.send({ op: 'last', id: 'last' })
      let answers = 0
      while ((await client.next()) !== '{"code":1,"msg":"Error","error":"INVALID","id":"last"}') answers++
      expect(answers).toBe(frames.length)
      expect(await client.ask('ping')).toBe('pong')
      client.close()
    }),
    { numRuns: 100 },
  )
})
