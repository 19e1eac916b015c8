import type { Room } from '@saoma/client'

/** Together with the demo's `SLOW_MS`, the page notices a fault within five seconds. */
const EVERY_MS = 1_200

/** A probe: whether the cluster behind an open connection still works. It runs while the page is visible. */
export interface Pulse {
  /** When the oldest unsuccessful request began, by `performance.now()`; undefined if there is none. */
  readonly waitingSince: number | undefined
  close(): void
}

/** @param channel  of the person, for whom any request is allowed */
export const createPulse = (channel: Pick<Room, 'presence' | 'state'>): Pulse => {
  let since: number | undefined
  let asking = false

  const ask = async () => {
    if (document.hidden) {
      // Browsers slow down the timers of hidden pages, so the probe would seem slow.
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
