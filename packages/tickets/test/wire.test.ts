import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { LOGIN_NAMESPACE, type TicketState } from '@saoma/protocol'
import { adapterClient } from '@saoma/redis'
import { onCleanup, startRedis } from '@saoma/testing'
import { createShardedAdapter } from '@socket.io/redis-adapter'
import { Server } from 'socket.io'
import { io as connectSocket } from 'socket.io-client'
import { createTickets } from '../src/index.ts'
import { decodeEvent, encodeEvent } from '../src/wire.ts'
import { hear, make, OWNER, openRedis, uniquePrefix, value } from './fixtures.ts'

const server = await startRedis()
const prefix = uniquePrefix()
const [node, otherNode] = await Promise.all([openRedis(server.url, prefix), openRedis(server.url, prefix)])
const tickets = createTickets(otherNode)

const http = createServer()
const io = new Server(http, {
  adapter: createShardedAdapter(node.pub, adapterClient(node.subscriber), { channelPrefix: prefix }),
})
const login = io.of(LOGIN_NAMESPACE)
http.listen(0, '127.0.0.1')
await once(http, 'listening')
onCleanup(() => io.close())
const address = `http://127.0.0.1:${(http.address() as AddressInfo).port}${LOGIN_NAMESPACE}`

test('[T20] our event is byte for byte what the adapter publishes for the same state', async () => {
  const { ticket } = await make.pending(tickets)
  const heard = await hear(otherNode.subscriber, tickets.channel(ticket))
  const { state } = value(await tickets.scan(ticket, OWNER))
  login.to(tickets.room(ticket)).emit('ticket', state)
  const [ours, theirs] = await heard.payloads(2)
  const sender = /"uid":"[^"]+"/
  expect(`${theirs}`).toMatch(sender)
  expect(`${ours}`.replace(sender, '')).toBe(`${theirs}`.replace(sender, ''))
  expect(await heard.states(2)).toEqual([state, state])
})

test('[T20] a browser in the room gets every transition, even on a node without tickets', async () => {
  const { ticket, deviceCode } = await make.pending(tickets)
  const joined = new Promise<void>((resolve) => {
    login.once('connection', (socket) => {
      socket.join(tickets.room(ticket))
      resolve()
    })
  })
  const socket = connectSocket(address, { transports: ['websocket'], forceNew: true })
  onCleanup(() => socket.disconnect())
  const received: TicketState[] = []
  const all = new Promise<void>((resolve) => {
    socket.on('ticket', (state: TicketState) => {
      if (received.push(state) === 3) resolve()
    })
  })
  await joined
  await node.subscriber.confirmed(tickets.channel(ticket))

  const states = [
    value(await tickets.scan(ticket, OWNER)).state,
    value(await tickets.confirm(ticket, OWNER)),
    value(await tickets.redeem(deviceCode)).state,
  ]
  await all
  expect(received).toEqual(states)
})

test('[T20] the two halves of an event hold any changing part', () => {
  const [head, tail] = encodeEvent('{room}', 'A'.repeat(22))
  const state = { ticket: 'A'.repeat(22), status: 'rejected', version: 12, expiresIn: 0 }
  expect(decodeEvent(Buffer.from(`${head}"status":"rejected","version":12,"expiresIn":0${tail}`))).toEqual(state)
})

test('[T20] no other message on the channel is taken for an event', () => {
  const [head, tail] = encodeEvent('{room}', 'A'.repeat(22))
  const wrong = [
    '',
    'ping',
    '{',
    'null',
    '\x83\xa4type',
    `${head}"status":"lost","version":1,"expiresIn":0${tail}`,
    `${head}"status":"pending","version":-1,"expiresIn":0${tail}`,
    `${head}"status":"pending"${tail}`,
    '{"type":3,"data":{"packet":{"type":2,"data":["drain",{}]}}}',
    '{"type":8,"data":{}}',
  ]
  for (const payload of wrong) expect(decodeEvent(Buffer.from(payload))).toBeUndefined()
})
