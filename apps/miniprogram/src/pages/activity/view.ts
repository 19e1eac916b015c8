import { clock } from '../../clock.ts'
import type { ActivityScreen } from '../../logic/activity-screen.ts'
import type { Text } from '../../logic/text.ts'

/** The data of the page. No value is undefined. */
export type ActivityView =
  | { kind: 'wait' }
  | { kind: 'failed'; hint: string }
  | {
      kind: 'list'
      entries: readonly EntryView[]
      hasMore: boolean
      reading: boolean
      said: string
      error: string
    }

export interface EntryView {
  id: string
  what: string
  where: string
  time: string
  /** The session of a login that the person may say to be somebody else's; empty for all other entries. */
  sid: string
  reporting: boolean
}

/** Logins, of which the person may say: this was not me. */
const LOGINS = ['login.redeemed', 'session.began', 'session.moved']

export const activityView = (screen: ActivityScreen, { words, sayCode }: Text, now: number): ActivityView => {
  if (screen.status === 'loading') return { kind: 'wait' }
  if (screen.status === 'failed') return { kind: 'failed', hint: sayCode(screen.code) }
  const { kinds } = words.activity
  const isReported = (sid: string) =>
    screen.entries.some((entry) => entry.kind === 'login.reported' && entry.sid === sid)
  return {
    kind: 'list',
    entries: screen.entries.map(({ id, kind, time, sid = '', app = '', browser = '', os = '', ip = '' }) => ({
      id,
      // A server may have kinds that this program does not know.
      what: kinds[kind as keyof typeof kinds] ?? kinds.other,
      where: [app, browser, os, ip].filter(Boolean).join(' · '),
      time: clock(Date.parse(time), now),
      sid: LOGINS.includes(kind) && !isReported(sid) ? sid : '',
      reporting: sid !== '' && sid === screen.reporting,
    })),
    hasMore: screen.hasMore,
    reading: screen.reading,
    said: screen.reported ? words.devices.reported : '',
    error: screen.error ? sayCode(screen.error) : '',
  }
}
