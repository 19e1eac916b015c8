/** From one heartbeat of a socket to the next, in milliseconds: Engine.IO's, which the gateway keeps. */
export const HEARTBEAT_MS = 25_000
