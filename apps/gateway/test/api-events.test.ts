import {
  confirm,
  connectLive,
  connectLogin,
  connectWs,
  createTicket,
  type Gateway,
  openEvents,
  phoneToken,
  publish,
  scan,
  startGateway,
  startRedis,
  type WsClient,
  webToken,
} from '@saoma/testing'
import fc from 'fast-check'
import type { Socket } from 'socket.io-client'
import { arbitraryOf, type Json, membersOf, oddBodies, partOf, sent, validatorAt } from './api-oracle.ts'
import { seed } from './fixtures.ts'

let node: Gateway

beforeAll(async () => {
  const { url } = await startRedis()
  // No rate may answer in the place of a parser.
  const env = { SAOMA_LIMIT_EVENTS: '1000000', SAOMA_LIMIT_PERSON_MESSAGES: '1000000' }
  node = await startGateway({ redisUrl: url, nodeId: 'a', origin: 'http://api.test', env })
})

const placeOf = (channel: string, message: string): string[] => ['channels', channel, 'messages', message, 'payload']

/** Fails unless the document has this message of the channel, in this form. */
const expectDocumented = (channel: string, message: string, body: unknown): void => {
  const validate = validatorAt('asyncapi', placeOf(channel, message))
  const isValid = validate(body)
  expect({ channel, message, body, isValid, errors: validate.errors }).toMatchObject({ isValid: true })
}

const schemaAt = (channel: string, message: string): Json => partOf('asyncapi', placeOf(channel, message)) as Json

/** Bodies that the document allows, and bodies that it forbids. `steady` members stay as they are. */
const bodiesOf = (channel: string, message: string, steady: Json = {}): Json[] => {
  const schema = schemaAt(channel, message)
  const drawn = fc.sample(arbitraryOf('asyncapi', schema) as fc.Arbitrary<Json>, { numRuns: 3, seed })
  const members = membersOf('asyncapi', schema).filter((member) => !Object.hasOwn(steady, member))
  return drawn.flatMap((body) => oddBodies({ ...body, ...steady }, members))
}

/** Sends each body, and compares whether it was taken with what the document says. */
const tryAll = async (
  channel: string,
  event: string,
  bodies: readonly Json[],
  ask: (body: Json) => Promise<{ answer: unknown; isTaken: boolean }>,
): Promise<void> => {
  const validate = validatorAt('asyncapi', placeOf(channel, `${event}Request`))
  const verdicts = { taken: 0, refused: 0 }
  for (const body of bodies) {
    const isAllowed = validate(sent(body))
    const { answer, isTaken } = await ask(body)
    expectDocumented(channel, `${event}Answer`, answer)
    expect({ seed, channel, event, body, answer, isTaken }).toMatchObject({ isTaken: isAllowed })
    verdicts[isAllowed ? 'taken' : 'refused']++
  }
  expect(verdicts.taken).toBeGreaterThan(3)
  expect(verdicts.refused).toBeGreaterThan(3)
}

test.each(['subscribe', 'unsubscribe', 'publish', 'presence', 'read'])(
  'Socket.IO takes the %s that the document allows, and nothing else',
  async (event) => {
    const { access_token: token } = await webToken(node.origin, 'ada')
    // The types of the client know well-formed requests only.
    const socket = connectLive(node.origin, { token }).socket as Socket
    // Only the person's own channel has an inbox.
    const steady = event === 'read' ? { channel: '@user' } : {}
    await tryAll('live', event, bodiesOf('live', `${event}Request`, steady), async (body) => {
      const answer = await socket.timeout(20_000).emitWithAck(event, body)
      return { answer, isTaken: answer.code !== 'INVALID' }
    })
  },
)

test('Socket.IO takes the watch that the document allows, and nothing else', async () => {
  const { device_code: deviceCode } = await createTicket(node.origin)
  for (const body of [{ deviceCode }, { deviceCode, unknown: 1 }, {}, { deviceCode: 1 }, { deviceCode: 'short' }]) {
    const socket = connectLogin(node.origin).socket as Socket
    const answer = await socket.timeout(20_000).emitWithAck('watch', body)
    expectDocumented('login', 'watchAnswer', answer)
    const isAllowed = validatorAt('asyncapi', placeOf('login', 'watchRequest'))(body)
    expect({ body, ok: answer.ok, code: answer.code === 'INVALID' }).toEqual({ body, ok: isAllowed, code: !isAllowed })
    socket.close()
  }
})

test.each(['publish', 'presence', 'read'])('/ws takes the %s that the document allows, and no other', async (op) => {
  const { access_token: token } = await webToken(node.origin, 'ada')
  const ws = await connectWs(node.origin)
  const welcome = JSON.parse(`${await ws.ask({ op: 'auth', token })}`)
  expectDocumented('ws', 'authAnswer', welcome)
  expect(welcome).toEqual({ result: true })
  const steady = { op, ...(op === 'read' ? { channel: '@user' } : {}) }
  // A frame that is no request at all is counted, and too many end the connection. So `id` stays well-formed.
  await tryAll('ws', op, bodiesOf('ws', `${op}Request`, { ...steady, id: 7 }), async (body) => {
    const answer = JSON.parse(`${await ws.ask(body)}`)
    return { answer, isTaken: answer.error !== 'INVALID' }
  })
})

/** Checks the frames up to the message of that name. Others may come before it. */
const throughFrames = async (ws: WsClient, last: string): Promise<void> => {
  for (;;) {
    const frame: Json = JSON.parse(`${await ws.next()}`)
    expectDocumented('ws', typeof frame.type === 'string' ? frame.type : 'positionedMessage', frame)
    if (frame.name === last) return
  }
}

test('what the server sends by itself is documented', async () => {
  const { origin } = node
  const { access_token: token } = await webToken(origin, 'ada')
  const channel = 'room:open-events'
  const ws = await connectWs(origin)
  await ws.ask({ op: 'auth', token })
  expectDocumented('ws', 'subscribeAnswer', JSON.parse(`${await ws.ask({ op: 'subscribe', channel, since: null })}`))
  const stream = await openEvents(`${origin}/v1/channels/${channel}/messages`, { bearer: token })
  expectDocumented('channelStream', 'subscribed', (await stream.next('subscribed')).data)
  const client = connectLive(origin, { token })
  expectDocumented('live', 'subscribeAnswer', await client.subscribe({ channel, since: null }))

  await publish(origin, { channel, event: 'kept', data: { a: [1] } })
  expectDocumented('live', 'message', await client.next('message'))
  expectDocumented('channelStream', 'message', (await stream.next('message')).data)
  await throughFrames(ws, 'kept')
  await publish(origin, { channel, event: 'passing', data: null, volatile: true })
  expectDocumented('live', 'volatile', await client.next('volatile'))
  expectDocumented('channelStream', 'volatile', (await stream.next('volatile')).data)
  await throughFrames(ws, 'passing')

  const { ticket, device_code: deviceCode } = await createTicket(origin)
  const browser = connectLogin(origin)
  await browser.watch(deviceCode)
  const states = await openEvents(`${origin}/v1/tickets/${ticket}`, { bearer: deviceCode })
  const phone = await phoneToken(origin, 'eve')
  await scan(origin, ticket, phone)
  await confirm(origin, ticket, phone)
  expectDocumented('login', 'ticket', await browser.next('ticket'))
  expectDocumented('ticketStream', 'ticket', (await states.next('ticket')).data)
})
