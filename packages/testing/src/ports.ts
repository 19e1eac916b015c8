import { randomInt } from 'node:crypto'
import getPort from 'get-port'

/** Below the range from which the kernel takes ports for outgoing connections: those come and go while a server restarts. */
const FIRST_PORT = 15_000
const LAST_PORT = 32_000
const CANDIDATES = 50

/** A port of 127.0.0.1 that nobody listens on. Drawn at random, so that test files running side by side hardly ever meet. */
export const freePort = (): Promise<number> =>
  getPort({
    host: '127.0.0.1',
    port: Array.from({ length: CANDIDATES }, () => randomInt(FIRST_PORT, LAST_PORT)),
  })
