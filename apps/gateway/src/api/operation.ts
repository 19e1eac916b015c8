import type { Code } from '@saoma/protocol'
import type * as v from 'valibot'

export type Schema = v.GenericSchema

/** A credential that a route takes. The names are those of `securitySchemes` in the document. */
export type Credential =
  | 'apiKey'
  | 'token'
  | 'ownToken'
  | 'phoneToken'
  | 'deviceCode'
  | 'ticketCookie'
  | 'clusterSecret'

/** A parameter of the address, the query or a header. */
export interface Parameter {
  says: string
  schema: Schema
  /** Parameters of the address are always required. @default false */
  required?: true
  /** Whether a query may have it several times. */
  several?: { most: number }
}

export interface Body {
  schema: Schema
  says?: string
  /** Whether the body may be empty. @default false */
  optional?: true
}

/** One answer that is no problem+json. */
export interface Answer {
  says: string
  json?: Schema
  /** What it may be besides JSON, by media type. */
  other?: readonly string[]
}

/** A route of `/v1`, or one of ours below `/oidc`, for the document. */
export interface Operation {
  /** Name of the call in clients that are made from the document. */
  id: string
  group:
    | 'Login: browser'
    | 'Login: phone'
    | 'Login: person'
    | 'Login: backend'
    | 'Live channels'
    | 'CONNMIX'
    | 'Operating'
    | 'Administrators'
  /** It is served at the internal port. @default at the public port */
  internal?: true
  summary: string
  says?: string
  /** Each of them is enough. Nobody has to show one where there is none. */
  credentials: readonly Credential[]
  path?: Readonly<Record<string, Parameter>>
  query?: Readonly<Record<string, Parameter>>
  headers?: Readonly<Record<string, Parameter>>
  body?: Body
  answers: Readonly<Record<number, Answer>>
  /** The codes that it answers besides those of every route (`EVERY_ROUTE`). */
  codes: readonly Code[]
}

/** Routes by method and path, the path as OpenAPI writes it: `GET /v1/tickets/{ticket}`. */
export type Operations = Readonly<Record<`${'GET' | 'POST' | 'DELETE'} /${'v1' | 'oidc'}/${string}`, Operation>>

/** What the middleware in front of all routes answers, and what may happen to any of them. */
export const EVERY_ROUTE = [
  'INVALID',
  'TOO_LARGE',
  'ORIGIN_NOT_ALLOWED',
  'RATE_LIMITED',
  'REDIS_UNAVAILABLE',
  'INTERNAL',
] as const satisfies readonly Code[]

/** The same at the internal port. */
export const EVERY_ADMIN_ROUTE = [
  'INVALID',
  'TOO_LARGE',
  'RATE_LIMITED',
  'REDIS_UNAVAILABLE',
  'INTERNAL',
] as const satisfies readonly Code[]
