import type { Result } from '@saoma/protocol'
import type { Middleware as KoaMiddleware, ParameterizedContext } from 'koa'
import type { Principal } from '../../access/principal.ts'
import type { RequestNotes } from '../../operate/request-notes.ts'

/** The state that the middlewares of one request share. */
export interface RequestState extends RequestNotes {
  /** Limit of its body, in bytes. */
  largestBody: number
  /** The caller, once its token has been resolved. */
  caller?: Result<Principal>
  /** Resolves the token of a backend again: its key may end while the body comes. */
  callerNow?: () => Promise<Result<Principal>>
  /** Whether it is answered outside of Koa. */
  raw?: true
}

export type Context = ParameterizedContext<RequestState>
export type Middleware = KoaMiddleware<RequestState>
