import { createWx } from '@saoma/testing'
import type { Door, LiveOptions } from '../src/live/live.ts'
import { createWxFetch, createWxPage, createWxTransport } from '../src/wx/index.ts'

/** Where a page is open. */
export interface Environment {
  /** What it gives to a connection; each time that of another tab, or of another phone. */
  surroundings(): Pick<LiveOptions, 'transports' | 'fetch' | 'page' | 'shared'>
  /** The ways by which messages can come there. */
  doors: readonly Door[]
}

/** A browser, of which Node is one as far as it matters here. */
export const browser: Environment = { surroundings: () => ({}), doors: ['socket', 'stream', 'poll'] }

/** A mini-program; WeChat lets no streams through. */
export const miniProgram: Environment = {
  surroundings: () => {
    const { wx, now } = createWx()
    return { transports: [createWxTransport(wx, { now })], fetch: createWxFetch(wx), page: createWxPage(wx) }
  },
  doors: ['socket', 'poll'],
}

/** Tabs of one browser: whatever is open for the same person goes by one connection. */
export const tabs: Environment = { surroundings: () => ({ shared: true }), doors: ['socket', 'stream', 'poll'] }
