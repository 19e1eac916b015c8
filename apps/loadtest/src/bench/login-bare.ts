import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { LOGIN_NAMESPACE, type TicketStatus, ticketOf } from '@saoma/protocol'
import Koa from 'koa'
import { type WebSocket, WebSocketServer } from 'ws'
import { obey } from './child.ts'
import type { Answered } from './keep-alive.ts'

/**
 * The least work that a login needs from HTTP and WebSocket. Koa and ws accept what a page and a phone send,
 * and repeat an answer that a node once gave. They check, store, sign and log nothing.
 */
export type BareOrder = { do: 'learn'; answers: Record<'create' | 'scan' | 'confirm' | 'redeem', Answered> }
export type BareAnswer = { did: 'start'; port: number } | { did: 'learn' }

/** Headers that Node or Koa sets itself. */
const OWN_HEADERS = ['connection', 'content-length', 'content-type', 'date', 'keep-alive', 'transfer-encoding']

const answers = new Map<string, { headers: Record<string, string>; body: object }>()
const sockets = new Map<string, WebSocket>()

const push = (ticket: string, status: TicketStatus): void => {
  const state = { ticket, status, version: 2, expiresIn: 60 }
  sockets.get(ticket)?.send(`42${LOGIN_NAMESPACE},${JSON.stringify(['ticket', state])}`)
}

const app = new Koa()
app.use(async (ctx) => {
  const form = new URLSearchParams(await text(ctx.req))
  const [, , ticketInPath = '', verb = ''] = ctx.path.slice(1).split('/')
  const step = ctx.path.startsWith('/oidc/') ? (ctx.path === '/oidc/token' ? 'redeem' : 'create') : verb
  const known = answers.get(step)
  if (!known) return
  ctx.set(known.headers)
  if (step === 'create') {
    const device_code = randomBytes(48).toString('base64url').padEnd(65, '0')
    ctx.body = { ...known.body, device_code, ticket: ticketOf(device_code) }
  } else {
    ctx.body = known.body
    if (step === 'redeem') push(ticketOf(form.get('device_code') ?? ''), 'redeemed')
    else push(ticketInPath, step === 'scan' ? 'scanned' : 'confirmed')
  }
})

const http = createServer({ keepAliveTimeout: 75_000 }, app.callback())
/** Frames of Engine.IO and Socket.IO, as long as the real ones. */
const opened = `0${JSON.stringify({ sid: 'a-'.padEnd(22, 'x'), upgrades: [], pingInterval: 25_000, pingTimeout: 20_000, maxPayload: 69_632 })}`
const entered = `40${LOGIN_NAMESPACE},${JSON.stringify({ sid: 'x'.repeat(20) })}`
new WebSocketServer({ server: http, perMessageDeflate: false }).on('connection', (socket) => {
  let ticket = ''
  socket.send(opened)
  socket.on('message', (data: Buffer) => {
    const frame = data.toString()
    if (frame.startsWith('40')) return socket.send(entered)
    const [, { deviceCode }] = JSON.parse(frame.slice(frame.indexOf('['))) as [string, { deviceCode: string }]
    ticket = ticketOf(deviceCode)
    sockets.set(ticket, socket)
    const state = { ticket, status: 'pending', version: 1, expiresIn: 120 }
    socket.send(`43${LOGIN_NAMESPACE},0${JSON.stringify([{ ok: true, state }])}`)
  })
  socket.on('close', () => sockets.delete(ticket))
})

http.listen(0, '127.0.0.1')
await once(http, 'listening')
obey<BareOrder, BareAnswer>({ did: 'start', port: (http.address() as AddressInfo).port }, (order) => {
  for (const [step, { headers, body }] of Object.entries(order.answers)) {
    const kept = Object.entries(headers).filter(([name]) => !OWN_HEADERS.includes(name))
    answers.set(step, { headers: Object.fromEntries(kept) as Record<string, string>, body: body as object })
  }
  return { did: 'learn' }
})
