import type { Room } from '@saoma/client'

/** With `SLOW_MS` of the demo it is told within five seconds. */
const EVERY_MS = 1_200

/**
 * Whether the cluster behind a connection that stands still does its work: a question of no other use, while
 * somebody looks.
 */
export interface Pulse {
  /** Since when it has had no good answer, by `performance.now()`. */
  readonly waitingSince: number | undefined
  close(): void
}

/** @param channel  of the person's own, about which anything may be asked */
export const createPulse = (channel: Pick<Room, 'presence' | 'state'>): Pulse => {
  let since: number | undefined
  let asking = false

  const ask = async () => {
    if (document.hidden) {
      // Timers of a page that nobody looks at are slow, and so would be this.
      since = undefined
      return
    }
    if (asking || channel.state !== 'live') return
    asking = true
    since ??= performance.now()
    const answer = await channel.presence()
    asking = false
    if (answer.ok) since = undefined
  }
  const timer = setInterval(() => void ask(), EVERY_MS)

  return {
    get waitingSince() {
      return since
    },
    close: () => clearInterval(timer),
  }
}
