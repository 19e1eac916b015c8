import type { Answer, Devices, Page } from '@saoma/client'
import type { ActivityEntry, ActivityPage } from '@saoma/protocol'
import type { ActivityPart, ActivityScreen } from './activity-screen.ts'
import { persist } from './persist.ts'
import type { PhoneApi } from './phone-api.ts'
import type { Tokens } from './tokens.ts'

export interface ActivityDeps {
  api: Pick<PhoneApi, 'activity'>
  devices: Pick<Devices, 'report'>
  /** The tokens for the calls of `devices`. */
  tokens: Pick<Tokens, 'use'>
  page: Page
  random: () => number
}

/** WeChat copies the whole list to the page at each change. */
const MOST_ENTRIES = 500

/** Shows only what the server reports, page by page. */
export const createActivityPart = (
  { api, devices, tokens, page, random }: ActivityDeps,
  onChange: () => void,
): ActivityPart => {
  const closing = new AbortController()
  const { signal } = closing
  let entries: readonly ActivityEntry[] | undefined
  let cursor: string | undefined
  let error: string | undefined
  let reading: Promise<void> | undefined
  let reporting = ''
  let reported = false
  let screen: ActivityScreen = { status: 'loading' }

  const show = () => {
    if (signal.aborted) return
    if (entries) {
      const hasMore = cursor !== undefined && entries.length < MOST_ENTRIES
      const doing = { reading: reading !== undefined, reporting, reported }
      screen = { status: 'listed', entries, hasMore, ...doing, ...(error ? { error } : {}) }
    } else {
      screen = error && !reading ? { status: 'failed', code: error } : { status: 'loading' }
    }
    onChange()
  }

  const ask = (from?: string): Promise<Answer<ActivityPage>> =>
    persist(() => api.activity(from), { random, signal, isWorth: () => page.online })

  /** One page at a time: two answers could not be put in order. */
  const read = (from?: string): Promise<void> => {
    if (reading) return reading
    error = undefined
    reading = (async () => {
      const answer = await ask(from)
      if (answer.ok) {
        entries = from === undefined ? answer.value.entries : [...(entries ?? []), ...answer.value.entries]
        cursor = answer.value.cursor
      } else {
        error = answer.code
      }
    })().finally(() => {
      reading = undefined
      show()
    })
    show()
    return reading
  }

  void read()

  return {
    get screen() {
      return screen
    },
    refresh: () => {
      reported = false
      return read()
    },
    readMore: async () => {
      if (screen.status === 'listed' && screen.hasMore) await read(cursor)
    },
    report: async (sid) => {
      if (reporting !== '') return
      reporting = sid
      reported = false
      error = undefined
      show()
      const how = { random, signal, isWorth: () => page.online }
      const answer = await persist(() => tokens.use(() => devices.report(sid)), how)
      reporting = ''
      // A session that nobody knows any more has ended, too.
      reported = answer.ok || answer.code === 'SESSION_NOT_FOUND'
      if (!answer.ok && !reported) error = answer.code
      show()
      await reading
      if (reported) await read()
    },
    close: () => closing.abort(),
  }
}
