import { LogEntry, type Signal } from '@saoma/channels'
import fc from 'fast-check'
import { ended, granted, notAuthenticated, refused } from '../src/live/connmix/answers.ts'
import { burstOf, payloadOf } from '../src/live/connmix/burst.ts'
import { noticeOf, noticeOfSignal } from '../src/live/connmix/notices.ts'
import { type Call, readRequest } from '../src/live/connmix/requests.ts'

const callOf = (text: string): Call => {
  const { call } = readRequest(text)
  if (!call) throw new Error(`no call: ${text}`)
  return call
}

describe('requests', () => {
  test.each([
    ['{"op":"auth","token":"t"}', 'auth', '{"token":"t"}', false],
    ['{"op":"auth"}', 'auth', '{}', false],
    ['{"op":"subscribe","channel":"@user"}', 'subscribe', '{"channel":"@user"}', false],
    ['{"op":"subscribe","channel":"@user","since":null}', 'subscribe', '{"channel":"@user","since":null}', true],
    ['{"op":"subscribe","channel":"room:x","history":5}', 'subscribe', '{"channel":"room:x","history":5}', true],
    ['{"op":"unsubscribe","channel":"@user","x":1}', 'unsubscribe', '{"channel":"@user"}', false],
    [
      '{"op":"publish","channel":"room:x","event":"e","data":{"op":[null]}}',
      'publish',
      '{"channel":"room:x","event":"e","data":{"op":[null]}}',
      false,
    ],
    ['{"op":"read","channel":"@user","offset":7}', 'read', '{"channel":"@user","offset":7}', false],
    ['{"op":"presence","channel":7}', 'presence', '{"channel":7}', false],
    ['{"op":"refresh","token":"t","since":1}', 'refresh', '{"token":"t"}', false],
  ])('%s becomes the request that Socket.IO knows', (text, op, body, extended) => {
    const call = callOf(text)
    expect({ ...call, body: JSON.stringify(call.body) }).toMatchObject({ op, body, extended })
  })

  test.each(
    [
      '',
      '{',
      'null',
      '7',
      '"auth"',
      '[]',
      '{}',
      '{"op":"no"}',
      '{"op":"toString"}',
      '{"op":["auth"]}',
      '{"op":"auth","id":{}}',
      `{"op":"auth","id":"${'x'.repeat(129)}"}`,
    ].map((text) => [text.slice(0, 60), text]),
  )('%s is no request', (_, text) => {
    expect(readRequest(text).call).toBeUndefined()
  })

  // Node 24 cannot write it again, Node 26 can; how deep data may be is said by those who take it.
  test('endlessly nested frames are read or refused, and throw nothing', () => {
    expect(() => readRequest(`{"op":"publish","data":${'['.repeat(30_000)}${']'.repeat(30_000)}}`)).not.toThrow()
  })

  test('mesh.publish is a publication, and other methods are refused in the same form', () => {
    expect(callOf('{"m":"mesh.publish","p":{"c":"user:1","d":"hello"},"i":1}')).toMatchObject({
      op: 'publish',
      body: { channel: 'user:1', event: 'mesh.text', data: 'hello' },
    })
    expect(readRequest('{"m":"conn.call","p":{},"i":7}')).toEqual({ form: { mesh: true, id: 7 } })
    expect(readRequest('{"m":"mesh.publish","i":8}')).toEqual({ form: { mesh: true, id: 8 } })
  })

  test('no input makes reading throw or lets a foreign key through', () => {
    const known = new Set([
      'token',
      'channel',
      'since',
      'history',
      'event',
      'data',
      'idempotencyKey',
      'volatile',
      'offset',
    ])
    const frames = fc.oneof(
      fc.string(),
      fc.json(),
      fc
        .record({ op: fc.constantFrom('auth', 'publish', 'subscribe', 'read'), id: fc.jsonValue() })
        .map((frame) => JSON.stringify({ ...frame, pid: 'x', offset: 1, channel: 'room:x' })),
    )
    fc.assert(
      fc.property(frames, (text) => {
        const { call } = readRequest(text)
        for (const key of Object.keys(call?.body ?? {})) expect(known).toContain(key)
      }),
    )
  })
})

describe('answers', () => {
  const plain = { mesh: false }
  test.each([
    ['auth', granted(plain, callOf('{"op":"auth","token":"t"}'), {}), '{"result":true}'],
    [
      'subscribe',
      granted(plain, callOf('{"op":"subscribe","channel":"@user"}'), { channel: 'user:1', epoch: 'e', messages: [] }),
      '{"result":true}',
    ],
    ['unsubscribe', granted(plain, callOf('{"op":"unsubscribe","channel":"@user"}'), {}), '{"result":true}'],
    [
      'publish',
      granted(plain, callOf('{"op":"publish"}'), { epoch: 'e', offset: 7, connections: 2 }),
      '{"result":true,"epoch":"e","offset":7,"connections":2}',
    ],
    [
      'a page',
      granted({ mesh: false, id: 'a' }, callOf('{"op":"subscribe","channel":"@user","since":null}'), {
        channel: 'user:1',
        recovered: false,
        epoch: 'e',
        offset: 1,
        messages: [{ channel: 'user:1', event: 'said', data: [1], time: 5, epoch: 'e', offset: 1 }],
      }),
      '{"result":true,"channel":"user:1","recovered":false,"epoch":"e","offset":1,"messages":[{"event":"@user","name":"said","data":[1],"time":5,"epoch":"e","offset":1}],"id":"a"}',
    ],
    ['before auth', notAuthenticated(plain), '{"code":1,"msg":"Not Auth"}'],
    ['before auth, with an id', notAuthenticated({ mesh: false, id: 3 }), '{"code":1,"msg":"Not Auth","id":3}'],
    ['nonsense', refused(plain, 'INVALID'), '{"code":1,"msg":"Error","error":"INVALID"}'],
    ['a refusal', refused(plain, 'FORBIDDEN'), '{"code":1,"msg":"Error","error":"FORBIDDEN","react":"stop"}'],
    [
      'a refused token',
      refused(plain, 'UNAUTHORIZED'),
      '{"code":1,"msg":"Not Auth","error":"UNAUTHORIZED","react":"reauth"}',
    ],
    ['the end of a token', ended({ code: 'TOKEN_EXPIRED' }), '{"code":1,"msg":"Not Auth","error":"TOKEN_EXPIRED"}'],
    [
      'the end of a session, with a reason',
      ended({ code: 'REVOKED', reason: 'Bye.' }),
      '{"code":1,"msg":"Not Auth","error":"REVOKED","reason":"Bye."}',
    ],
    [
      'mesh.publish',
      granted({ mesh: true, id: 1 }, callOf('{"op":"publish"}'), { epoch: 'e', offset: 7, connections: 9 }),
      '{"E":null,"r":{"s":9,"f":0},"i":1}',
    ],
    [
      'mesh.publish refused',
      refused({ mesh: true, id: 1 }, 'INVALID'),
      '{"E":{"c":101,"m":"The request is not well formed."},"i":1}',
    ],
    ['mesh.publish not done', refused({ mesh: true }, 'FORBIDDEN'), '{"E":{"c":403,"m":"You may not do this."}}'],
    ['mesh.publish before auth', notAuthenticated({ mesh: true, id: 1 }), '{"E":{"c":401,"m":"Not Auth"},"i":1}'],
  ])('an answer has its exact text: %s', (_, answer, expected) => {
    expect(answer).toBe(expected)
  })
})

describe('notices', () => {
  const subscriptions = new Map([
    ['user:1', { alias: '@user', extended: true }],
    ['room:x', { alias: 'room:x', extended: false }],
  ])
  const extended = { subscriptions, extended: true }
  const plain = { subscriptions, extended: false }
  const typing = { channel: 'room:x', event: 'typing', data: { a: 1 }, from: 'u', time: 5 }

  const change = { channel: 'room:x', event: 'join', user: 'u', count: 2 } as const
  const volatile = (message: object): Signal => ({ kind: 'volatile', json: JSON.stringify(message) })

  test.each<[string, Signal, typeof plain, string | undefined]>([
    ['a volatile message', volatile(typing), plain, '{"event":"room:x","data":{"a":1}}'],
    [
      'a volatile message, for one that asked for more',
      volatile({ ...typing, channel: 'user:1' }),
      extended,
      '{"event":"@user","type":"volatile","name":"typing","data":{"a":1},"from":"u","time":5}',
    ],
    [
      'presence',
      { kind: 'presence', change },
      extended,
      '{"event":"room:x","type":"presence","data":{"event":"join","user":"u","count":2}}',
    ],
    [
      'an inbox',
      { kind: 'inbox', channel: 'user:1', inbox: { read: 3, unread: 0 } },
      extended,
      '{"event":"@user","type":"inbox","data":{"read":3,"unread":0}}',
    ],
    ['presence, for one that did not ask for more', { kind: 'presence', change }, plain, undefined],
  ])('a notice has its exact text: %s', (_, signal, listener, frame) => {
    expect(noticeOfSignal(signal, listener)).toBe(frame)
  })

  test('what a connection hears of itself has its exact text', () => {
    expect(noticeOf('expiring', { expiresIn: 60 }, extended)).toBe('{"event":"expiring","data":{"expiresIn":60}}')
    expect(noticeOf('drain', { resumeAfterMs: 9 }, extended)).toBe('{"event":"drain","data":{"resumeAfterMs":9}}')
    expect(noticeOf('ended', { code: 'REVOKED' }, plain)).toBe('{"code":1,"msg":"Not Auth","error":"REVOKED"}')
    expect(noticeOf('drain', { resumeAfterMs: 9 }, plain)).toBeUndefined()
  })
})

describe('messages', () => {
  const bodyOf = (event: string, data: unknown, from?: string): string =>
    JSON.stringify({ event, data, ...(from === undefined ? {} : { from }), time: 1_795_248_000_000 }).slice(1, -1)
  const kept = (event: string, data: unknown, from?: string) =>
    new LogEntry('user:1', 'e', 7, bodyOf(event, data, from))
  const plain = { alias: '@user', extended: false }
  const extended = { alias: '@user', extended: true }

  test('a plain CONNMIX subscription gets the channel as it was asked for and the data', () => {
    expect(payloadOf(kept('said', { a: 1 }, 'u'), plain)).toBe('{"event":"@user","data":{"a":1}}')
  })

  test('a subscription that asked for positions gets them', () => {
    expect(payloadOf(kept('said', { a: 1 }, 'u'), extended)).toBe(
      '{"event":"@user","name":"said","data":{"a":1},"from":"u","time":1795248000000,"epoch":"e","offset":7}',
    )
  })

  test('texts and bytes of a backend go out as they came in', () => {
    expect(payloadOf(kept('mesh.text', '{ "event" : "@user" }\n'), plain)).toBe('{ "event" : "@user" }\n')
    expect(payloadOf(kept('mesh.binary', 'AP8Q'), plain)).toEqual(Buffer.from([0, 255, 16]))
    expect(JSON.parse(payloadOf(kept('mesh.text', 'x'), extended).toString())).toMatchObject({
      name: 'mesh.text',
      data: 'x',
    })
  })

  test('a person cannot pass off text as a frame of the server', () => {
    expect(payloadOf(kept('mesh.text', '{"result":true}', 'mallory'), plain)).toBe(
      '{"event":"@user","data":"{\\"result\\":true}"}',
    )
    expect(payloadOf(kept('mesh.text', { from: 'x' }), plain)).toBe('{"event":"@user","data":{"from":"x"}}')
  })

  test('the parts of a message are found whatever its data is', () => {
    const texts = fc.oneof(fc.json(), fc.constantFrom('","from":"x', ',"from":"x"', ',"time":1', '","time":1', 'u"'))
    const data = fc.oneof(
      fc.jsonValue(),
      texts,
      fc.record({ from: texts, time: fc.integer() }),
      fc.record({ time: fc.integer(), from: texts }),
      fc.array(texts),
    )
    fc.assert(
      fc.property(data, fc.option(fc.constantFrom('u', 'u.1@x:y~-'), { nil: undefined }), (data, from) => {
        const expected = `{"event":"@user","data":${JSON.stringify(data)}}`
        expect(payloadOf(kept('said', data, from), plain)).toBe(expected)
      }),
      { numRuns: 500 },
    )
  })

  test('a burst is one piece of frames that all listeners of the same form share', () => {
    const batch = [kept('said', 'é'.repeat(40)), kept('said', 'x'.repeat(300)), kept('said', 'x'.repeat(70_000))]
    const bytes = burstOf(batch, plain)
    const payloads = batch.map((message) => Buffer.from(payloadOf(message, plain)))
    let at = 0
    for (const [i, header] of [2, 4, 10].entries()) {
      expect(bytes[at]).toBe(0x81)
      expect(bytes.subarray(at + header, at + header + (payloads[i]?.length ?? 0))).toEqual(payloads[i])
      at += header + (payloads[i]?.length ?? 0)
    }
    expect(bytes.length).toBe(at)
    expect(burstOf(batch, { ...plain })).toBe(bytes)
    expect(burstOf(batch, extended)).not.toBe(bytes)
    expect(burstOf([...batch], plain)).not.toBe(bytes)
  })
})
