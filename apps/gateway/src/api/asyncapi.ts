import { type Code, codes, LOGIN_NAMESPACE } from '@saoma/protocol'
import { type ClientEvent, EVERY_EVENT, liveEvents, loginEvents, type ServerEvent, streams } from './events.ts'
import { exchanges, frames } from './frames.ts'
import { componentsOf, type Json, jsonSchemaOf } from './json-schema.ts'
import type { Schema } from './operation.ts'

/** A channel of the document with its operations, under construction. */
interface Part {
  channel: Json
  operations: Record<string, Json>
}

const capitalised = (name: string): string => `${name.charAt(0).toUpperCase()}${name.slice(1)}`

const refusals = (own: readonly Code[]): string =>
  `Refused with: ${(Object.keys(codes) as Code[])
    .filter((code) => [...EVERY_EVENT, ...own].includes(code))
    .map((code) => `\`${code}\` (${codes[code].react})`)
    .join(', ')}.`

const message = (name: string, summary: string, schema: Schema): Json => ({
  name,
  title: name,
  summary,
  contentType: 'application/json',
  payload: jsonSchemaOf(schema),
})

/** What the document says of one channel. `receive` is what clients send, `send` what the server sends. */
const createPart = (
  id: string,
  about: Json,
): Part & {
  ask(name: string, asked: { summary: string; says?: string; request: Schema; answer: Schema }): void
  send(name: string, summary: string, body: Schema): void
} => {
  const messages: Record<string, Json> = {}
  const operations: Record<string, Json> = {}
  const at = (key: string): Json => ({ $ref: `#/channels/${id}/messages/${key}` })
  const channel = { $ref: `#/channels/${id}` }
  return {
    channel: { ...about, messages },
    operations,
    ask: (name, { summary, says, request, answer }) => {
      const [asked, answered] = [`${name}Request`, `${name}Answer`]
      messages[asked] = message(name, summary, request)
      messages[answered] = message(name, `The answer to \`${name}\`.`, answer)
      operations[`${id}Receive${capitalised(name)}`] = {
        action: 'receive',
        channel,
        summary,
        ...(says ? { description: says } : {}),
        messages: [at(asked)],
        reply: { channel, messages: [at(answered)] },
      }
    },
    send: (name, summary, body) => {
      messages[name] = message(name, summary, body)
      operations[`${id}Send${capitalised(name)}`] = { action: 'send', channel, summary, messages: [at(name)] }
    },
  }
}

const server = (name: string): Json => ({ $ref: `#/servers/${name}` })

/** A namespace of Socket.IO. A request is the first argument of the event, the answer that of its ack. */
const namespacePart = (
  id: string,
  about: Json,
  { fromClient, fromServer }: { fromClient: Record<string, ClientEvent>; fromServer: Record<string, ServerEvent> },
): Part => {
  const part = createPart(id, { ...about, servers: [server('socketio')] })
  for (const [name, { summary, request, ack, codes: own }] of Object.entries(fromClient))
    part.ask(name, { summary, says: refusals(own), request, answer: ack })
  for (const [name, { summary, body }] of Object.entries(fromServer)) part.send(name, summary, body)
  return part
}

const webSocketPart = (id: string): Part => {
  const part = createPart(id, {
    address: '/ws',
    title: 'Plain WebSocket',
    description:
      'Text frames with one JSON object each, in the form of CONNMIX. Answers come in the order of the requests. `ping` is answered `pong`. Anything else is answered `{"code":1,"msg":"Error","error":"INVALID"}`.',
    servers: [server('websocket')],
    bindings: { ws: { method: 'GET', bindingVersion: '0.1.0' } },
  })
  for (const [name, { summary, request, answer }] of Object.entries(exchanges))
    part.ask(name, { summary, request, answer })
  for (const [name, { summary, body }] of Object.entries(frames)) part.send(name, summary, body)
  return part
}

const streamPart = (id: string, about: Json, events: Record<string, ServerEvent>): Part => {
  const part = createPart(id, { ...about, servers: [server('eventStream')] })
  for (const [name, { summary, body }] of Object.entries(events)) part.send(name, summary, body)
  return part
}

const parts: Record<string, Part> = {
  login: namespacePart(
    'login',
    {
      address: LOGIN_NAMESPACE,
      title: 'Login over Socket.IO',
      description: 'The namespace of waiting browsers. One socket follows one ticket.',
    },
    loginEvents,
  ),
  live: namespacePart(
    'live',
    {
      address: '/',
      title: 'Live channels over Socket.IO',
      description:
        'The client sends `auth: { token }`: a token of a person, or an API key. A token that is bound to a key (RFC 9449) comes with `dpop`, a proof with the method GET and the address `{origin}/socket.io/`. A refused handshake is a `connect_error` whose `data` is a refusal.',
    },
    liveEvents,
  ),
  ws: webSocketPart('ws'),
  ticketStream: streamPart(
    'ticketStream',
    {
      address: '/v1/tickets/{ticket}',
      title: 'Event stream of a ticket',
      description: 'With `Accept: text/event-stream`. The id of an event is the version.',
      parameters: { ticket: { description: 'The ticket.' } },
    },
    streams.ticket,
  ),
  channelStream: streamPart(
    'channelStream',
    {
      address: '/v1/channels/{channel}/messages',
      title: 'Event stream of one channel',
      description: 'With `Accept: text/event-stream`. The id of an event is the position.',
      parameters: { channel: { description: 'The channel. `@user` is the own one of a person.' } },
    },
    streams.messages,
  ),
  channelsStream: streamPart(
    'channelsStream',
    {
      address: '/v1/messages',
      title: 'Event stream of several channels',
      description: 'With `Accept: text/event-stream`. The id of an event is the position of all channels.',
    },
    streams.messages,
  ),
}

/** Whoever runs a cluster knows its host. */
const variables = { host: { description: 'The host of the cluster.', default: 'login.example.com' } }

/**
 * The document of Socket.IO, `/ws` and the event streams, in AsyncAPI 3.0. It is made of the schemas that the
 * events are parsed with and of the table of codes.
 */
export const createAsyncApi = (version: string): Json => {
  const channels = Object.fromEntries(Object.entries(parts).map(([id, { channel }]) => [id, channel]))
  return {
    asyncapi: '3.0.0',
    info: {
      title: 'Saoma over connections',
      version,
      description:
        'Log in by scanning a code, and live channels. `receive` is what a client sends to the server, `send` is what the server sends. Members that are not named here are ignored.',
      license: { name: 'MIT' },
    },
    defaultContentType: 'application/json',
    servers: {
      socketio: {
        host: '{host}',
        pathname: '/socket.io/',
        protocol: 'wss',
        description: 'Socket.IO 4, over WebSocket or HTTP long-polling.',
        variables,
      },
      websocket: { host: '{host}', protocol: 'wss', description: 'Plain WebSocket.', variables },
      eventStream: { host: '{host}', protocol: 'https', description: 'Server-Sent Events.', variables },
    },
    channels,
    operations: Object.assign({}, ...Object.values(parts).map(({ operations }) => operations)),
    components: { schemas: componentsOf(channels) },
  }
}
