import type { Result } from '@saoma/protocol'
import type { Middleware as KoaMiddleware, ParameterizedContext } from 'koa'
import type { Principal } from '../../access/principal.ts'
import type { RequestNotes } from '../../operate/request-notes.ts'

/** What the middlewares of one request tell each other. */
export interface RequestState extends RequestNotes {
  /** Most bytes that its body may have. */
  largestBody: number
  /** Who asks, once somebody has looked at its token. */
  caller?: Result<Principal>
  /** It is answered past Koa, or will be. */
  raw?: true
}

export type Context = ParameterizedContext<RequestState>
export type Middleware = KoaMiddleware<RequestState>
