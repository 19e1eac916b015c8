import { type Code, codes, type EndNotice, type Message } from '@saoma/protocol'
import type { Call, Form } from './requests.ts'

/** CONNMIX's own error number for an invalid argument. Other refusals use their HTTP status, as over HTTP. */
const INVALID_ARGUMENT = 101
const NOT_AUTH = 'Not Auth'

const idOf = ({ id }: Form): object => (id === undefined ? {} : { id })

const meshAnswer = ({ id }: Form, answer: object): string =>
  JSON.stringify({ ...answer, ...(id === undefined ? {} : { i: id }) })

const meshError = (form: Form, c: number, m: string): string => meshAnswer(form, { E: { c, m } })

/** The answer to every request before `auth`. */
export const notAuthenticated = (form: Form): string =>
  form.mesh
    ? meshError(form, codes.UNAUTHORIZED.status, NOT_AUTH)
    : JSON.stringify({ code: 1, msg: NOT_AUTH, ...idOf(form) })

/** The answer to a frame that is not a request. */
export const invalid = (form: Form): string => refused(form, 'INVALID')

/** The answer to a request that was refused. */
export const refused = (form: Form, code: Code, retryAfter?: number): string => {
  const { react, status, say } = codes[code]
  if (form.mesh) return meshError(form, code === 'INVALID' || code === 'TOO_LARGE' ? INVALID_ARGUMENT : status, say.en)
  return JSON.stringify({
    code: 1,
    msg: react === 'reauth' ? NOT_AUTH : 'Error',
    error: code,
    ...(code === 'INVALID' ? {} : { react }),
    ...(retryAfter === undefined ? {} : { retryAfter }),
    ...idOf(form),
  })
}

/** The notice that the server ends the connection because the token or session ended. */
export const ended = ({ code, reason }: EndNotice): string =>
  JSON.stringify({ code: 1, msg: NOT_AUTH, error: code, ...(reason === undefined ? {} : { reason }) })

const isMessages = (value: unknown): value is Message[] => Array.isArray(value)

/** Gives the messages of a page the same form as messages that arrive alone. */
const pageOf = (ack: object, alias: string): object => {
  if (!('messages' in ack) || !isMessages(ack.messages)) return ack
  const messages = ack.messages.map(({ channel: _, event, ...message }) => ({ event: alias, name: event, ...message }))
  return { ...ack, messages }
}

/** The members of an ack that a client of this kind receives. */
const membersOf = ({ op, extended, channel = '' }: Call, ack: object): object => {
  switch (op) {
    case 'auth':
    case 'unsubscribe':
      return {}
    case 'subscribe':
      return extended ? pageOf(ack, channel) : {}
    default:
      return ack
  }
}

/** The answer to a successful request. `ack` is the ack of Socket.IO's clients, without its `ok`. */
export const granted = (form: Form, call: Call, ack: object): string => {
  if (!form.mesh) return JSON.stringify({ result: true, ...membersOf(call, ack), ...idOf(form) })
  const written = 'connections' in ack ? ack.connections : 0
  return meshAnswer(form, { E: null, r: { s: written, f: 0 } })
}
