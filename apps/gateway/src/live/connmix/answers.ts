import { type Code, codes, type Message } from '@saoma/protocol'
import type { Call, Form } from './requests.ts'

/**
 * CONNMIX's own number for an argument it cannot use; other refusals have their HTTP status, as on the HTTP
 * door.
 */
const INVALID_ARGUMENT = 101
const NOT_AUTH = 'Not Auth'

const idOf = ({ id }: Form): object => (id === undefined ? {} : { id })

const meshAnswer = ({ id }: Form, answer: object): string =>
  JSON.stringify({ ...answer, ...(id === undefined ? {} : { i: id }) })

const meshError = (form: Form, c: number, m: string): string => meshAnswer(form, { E: { c, m } })

/** Before `auth` there is one answer to everything. */
export const notAuthenticated = (form: Form): string =>
  form.mesh
    ? meshError(form, codes.UNAUTHORIZED.status, NOT_AUTH)
    : JSON.stringify({ code: 1, msg: NOT_AUTH, ...idOf(form) })

/** A frame that is no request. */
export const invalid = (form: Form): string => refused(form, 'INVALID')

/** A request that was not done. */
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

/** The server ends the connection for its token or session. */
export const ended = (code: Code): string => JSON.stringify({ code: 1, msg: NOT_AUTH, error: code })

const isMessages = (value: unknown): value is Message[] => Array.isArray(value)

/** Messages of a page look like those that come alone. */
const pageOf = (ack: object, alias: string): object => {
  if (!('messages' in ack) || !isMessages(ack.messages)) return ack
  const messages = ack.messages.map(({ channel: _, event, ...message }) => ({ event: alias, name: event, ...message }))
  return { ...ack, messages }
}

/** What of an ack a client of this kind is told. */
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

/** A request that was done; `ack` is what Socket.IO's clients are told, without its `ok`. */
export const granted = (form: Form, call: Call, ack: object): string => {
  if (!form.mesh) return JSON.stringify({ result: true, ...membersOf(call, ack), ...idOf(form) })
  const written = 'connections' in ack ? ack.connections : 0
  return meshAnswer(form, { E: null, r: { s: written, f: 0 } })
}
