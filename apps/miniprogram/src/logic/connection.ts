import { createLive, type Live, type Page } from '@saoma/client'
import { createWxTransport } from '@saoma/client/wx'
import type { Tokens } from './tokens.ts'
import type { WxApp } from './wx-app.ts'

export interface ConnectionOptions {
  wx: WxApp
  origin: string
  /** Tokens of the client `miniprogram`. */
  tokens: Tokens
  fetch: typeof fetch
  page: Page
  now: () => number
  random: () => number
}

/** The only live connection of the mini-program. WeChat allows five sockets in all. */
export interface Connection {
  /** The current connection, or a new one if it has ended. Connects at the first call. */
  live(): Live
  close(): void
}

export const createConnection = ({ wx, origin, tokens, fetch, page, now, random }: ConnectionOptions): Connection => {
  let live: Live | undefined
  return {
    live: () => {
      if (!live || live.state === 'ended')
        live = createLive({
          origin,
          token: ({ renew }) => (renew ? tokens.renew() : tokens.get()),
          // WeChat delivers an answer only when it is complete, so event streams do not work.
          doors: ['socket', 'poll'],
          transports: [createWxTransport(wx, { now })],
          fetch,
          page,
          random,
        })
      return live
    },
    close: () => live?.close(),
  }
}
