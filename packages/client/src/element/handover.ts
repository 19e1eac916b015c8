import type { TokenSet } from '@saoma/protocol'
import type { Binding } from '../core/proof.ts'
import type { LoginState } from '../login/login-state.ts'

/**
 * What takes over the tokens of the element's logins; a session of `createSession` fits. It is a type of the
 * element's own, so the element contains none of the session's code.
 */
export interface LoginSession {
  /** Saoma's origin, without a path. If it is there, it has to be the element's. */
  readonly origin?: string
  /** If it is there, it has to be the element's. */
  readonly clientId?: string
  /** Whether the tokens are bound to a key of this browser. */
  readonly dpop?: Binding
  /** Called once for each login. */
  adopt(tokens: TokenSet): void
}

/** Where the element logs people in. */
export interface LoginPlace {
  origin: string
  clientId: string
}

export type Misfit = Extract<LoginState, { status: 'failed' }>

/** `https://Login.example.com:443/` and the like name the same place. What is no address stays as it is. */
const originOf = (address: string): string => {
  try {
    return new URL(address, location.href).origin
  } catch {
    return address
  }
}

/**
 * Why a session cannot take the logins of this place; undefined if it can. With another origin or client it
 * could not refresh the tokens, and would end at its first try.
 */
export const misfitOf = (session: LoginSession | undefined, place: LoginPlace): Misfit | undefined => {
  const own = { origin: originOf(place.origin), clientId: place.clientId }
  const { origin = own.origin, clientId = own.clientId } = session ?? {}
  if (originOf(origin) === own.origin && clientId === own.clientId) return undefined
  return {
    status: 'failed',
    code: 'SESSION_MISMATCH',
    react: 'stop',
    message:
      `The session of <saoma-login> is of ${origin}, client ${clientId}; ` +
      `the element logs in at ${own.origin}, client ${own.clientId}.`,
  }
}

/**
 * Hands the tokens of a login to the first session that is there for them. A second session would refresh
 * with a refresh token that the first has used, and the server would take that for theft.
 */
export const createHandover = (): ((session: LoginSession | undefined, tokens: TokenSet) => void) => {
  let handed: TokenSet | undefined
  return (session, tokens) => {
    if (!session || handed === tokens) return
    handed = tokens
    session.adopt(tokens)
  }
}
