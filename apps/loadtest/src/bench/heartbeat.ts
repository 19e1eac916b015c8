/** Milliseconds between two heartbeats of a socket: Engine.IO's default, which the gateway keeps. */
export const HEARTBEAT_MS = 25_000
