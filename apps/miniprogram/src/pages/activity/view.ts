import { clock } from '../../clock.ts'
import type { ActivityScreen } from '../../logic/activity-screen.ts'
import type { Text } from '../../logic/text.ts'

/** The data of the page. No value is undefined. */
export type ActivityView =
  | { kind: 'wait' }
  | { kind: 'failed'; hint: string }
  | {
      kind: 'list'
      entries: readonly { id: string; what: string; where: string; time: string }[]
      hasMore: boolean
      reading: boolean
      error: string
    }

export const activityView = (screen: ActivityScreen, { words, sayCode }: Text, now: number): ActivityView => {
  if (screen.status === 'loading') return { kind: 'wait' }
  if (screen.status === 'failed') return { kind: 'failed', hint: sayCode(screen.code) }
  const { kinds } = words.activity
  return {
    kind: 'list',
    entries: screen.entries.map(({ id, kind, time, app = '', browser = '', os = '', ip = '' }) => ({
      id,
      // A server may have kinds that this program does not know.
      what: kinds[kind as keyof typeof kinds] ?? kinds.other,
      where: [app, browser, os, ip].filter(Boolean).join(' · '),
      time: clock(Date.parse(time), now),
    })),
    hasMore: screen.hasMore,
    reading: screen.reading,
    error: screen.error ? sayCode(screen.error) : '',
  }
}
