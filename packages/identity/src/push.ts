import type { KoaContextWithOIDC } from './oidc-provider.ts'
import { type RequestState, requestState } from './request-state.ts'

/** A request to log in that has reached a person's phone, or rather waits for it. */
export interface PushedLogin {
  sub: string
  ticket: string
  /** Id of the application. */
  client: string
  /** Its name. */
  app: string
}

/** What names a browser where the other requests name their application. */
export const PREFIX_OF_BROWSER = 'browser:'

/** How requests to log in get to people's phones. */
export interface Push {
  /**
   * Takes a place among the requests of a person. Resolves with the milliseconds to wait if there is none.
   * Rejects with RedisUnavailable.
   */
  ask(sub: string, ticket: string, client: string): Promise<number | undefined>
  /** Gives a place back, whether it was taken or not. Must not throw. */
  giveBack(sub: string, ticket: string): void
  /** Tells the phone. Called once for each request, after it is stored; must not throw. */
  tell(login: PushedLogin): void
}

/** Takes a place for what the present request of the provider makes. Resolves and rejects like `Push.ask`. */
export const askPhone = async (
  push: Pick<Push, 'ask'>,
  { sub, ticket, client }: Pick<PushedLogin, 'sub' | 'ticket' | 'client'>,
): Promise<number | undefined> => {
  const state = requestState()
  // First: if the call fails, nobody knows whether the place is taken.
  if (state) state.pushed = { ticket, sub }
  const waitMs = await push.ask(sub, ticket, client)
  if (state && waitMs !== undefined) delete state.pushed
  return waitMs
}

/** Gives the place back if a request has failed. Its client repeats it, with another ticket. */
export const giveBackFailed = (push: Pick<Push, 'giveBack'>, { state, status }: KoaContextWithOIDC): void => {
  const { pushed } = state as RequestState
  if (pushed && status !== 200) push.giveBack(pushed.sub, pushed.ticket)
}
