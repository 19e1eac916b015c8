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
  /** Tells the phone. Called once for each request, after it is stored; must not throw. */
  tell(login: PushedLogin): void
}
