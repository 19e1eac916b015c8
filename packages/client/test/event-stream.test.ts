import { createEventReader, followStream } from '../src/core/event-stream.ts'

const read = (...pieces: string[]) => {
  const events: string[] = []
  const reader = createEventReader((event, data) => events.push(`${event}=${data}`))
  for (const piece of pieces) reader.push(piece)
  return events
}

const stream = 'retry: 1000\n\n:\n\nevent: message\nid: room:a;e;1\ndata: {"a":1}\n\nevent: ended\ndata: {}\n\n'

test('events are read; comments and other fields are ignored', () => {
  expect(read(stream)).toEqual(['message={"a":1}', 'ended={}'])
})

test('the network may cut the stream anywhere', () => {
  for (let cut = 0; cut <= stream.length; cut++)
    expect(read(stream.slice(0, cut), stream.slice(cut))).toEqual(read(stream))
  expect(read(...stream)).toEqual(read(stream))
})

test.each(['\n', '\r\n', '\r'])('lines may end in any way (%j)', (end) => {
  const text = stream.replaceAll('\n', end)
  // A CR that ends everything may be half of a CR LF, so one more line is needed to know.
  expect(read(...text, ':')).toEqual(read(stream))
})

// An event without a name is a message.
test('several data lines make one message, and an incomplete event is dropped', () => {
  expect(read('data: 1\ndata:2\n\ndata: 3')).toEqual(['message=1\n2'])
})

const follow = (answer: () => Promise<Response>) => {
  const events: unknown[] = []
  const ended = followStream({
    fetch: answer,
    url: 'http://saoma/',
    headers: {},
    onEvent: (event, data) => events.push([event, data]),
    signal: new AbortController().signal,
  })
  return { events, ended }
}
const headers = { 'content-type': 'text/event-stream; charset=utf-8' }

test('characters that the network cuts in two are whole', async () => {
  const bytes = new TextEncoder().encode('event: message\ndata: "扫码"\n\n')
  const body = new ReadableStream({
    start: (controller) => {
      for (const byte of bytes) controller.enqueue(Uint8Array.of(byte))
      controller.close()
    },
  })
  const { events, ended } = follow(async () => new Response(body, { headers }))
  expect(await ended).toMatchObject({ code: 'NETWORK', react: 'retry' })
  expect(events).toEqual([['message', '扫码']])
})

test.each([
  ['that is something else', async () => new Response('<html>', { headers: { 'content-type': 'text/html' } })],
  ['without a body', async () => new Response(null, { headers })],
  ['that ends before it says anything', async () => new Response('', { headers })],
])('an answer %s is no stream', async (_title, answer) => {
  expect(await follow(answer).ended).toMatchObject({ code: 'NO_STREAM', react: 'retry' })
})

test('a missing answer is the network’s failure, not the stream’s', async () => {
  expect(await follow(() => Promise.reject(new TypeError('no route'))).ended).toMatchObject({ code: 'NETWORK' })
})

test('a refusal keeps its code', async () => {
  const problem = { type: 'about:blank', title: 't', status: 401, code: 'TOKEN_EXPIRED', react: 'reauth' }
  const answer = async () => new Response(JSON.stringify(problem), { status: 401 })
  expect(await follow(answer).ended).toMatchObject({ code: 'TOKEN_EXPIRED', react: 'reauth' })
})
