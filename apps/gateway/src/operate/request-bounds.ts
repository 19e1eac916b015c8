import type { ServerOptions } from 'node:http'

/** What bounds the requests at both ports: how long one may take to come, and how large its headers are. */
export const requestBounds = {
  /** The longest time for a request with its body. Node checks it every ten seconds. */
  requestTimeout: 60_000,
  connectionsCheckingInterval: 10_000,
  headersTimeout: 15_000,
  maxHeaderSize: 16_384,
} as const satisfies ServerOptions
