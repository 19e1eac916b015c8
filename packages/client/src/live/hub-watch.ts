import { now } from '../core/clock.ts'
import type { Page } from '../core/page.ts'
import { isUp, type LiveState } from './upstream.ts'

export interface HubWatchOptions {
  page: Page
  random: () => number
  /** Whether the hub is in this tab. */
  leads: () => boolean
  /** Asks whether anybody is there. */
  ping: () => void
  /** Asks the hub to try now what waits. */
  wake: () => void
  /** The hub does not answer, or does not get connected: it is better in this tab, which is in view. */
  onUseless: () => void
}

/** Makes sure, in a tab that somebody looks at, that the hub is of use. */
export interface HubWatch {
  /** The hub has said how it is. */
  heard(state: LiveState, hidden: boolean): void
  /** There is no hub, or another. */
  forget(): void
  close(): void
}

const PROBE_EVERY_MS = 5_000
/** A hub that says nothing for so long is in a tab that the browser has put to sleep. */
const DEAF_MS = 3_000
/** Timers of a page that nobody looks at are slow, so it is slow to connect again. */
const DOWN_UNSEEN_MS = 3_000
/** Something may be wrong with that tab alone: with its token, for one. */
const DOWN_SEEN_MS = 15_000
/** Of two tabs in view only one is to take over. */
const JITTER_MS = 1_000

export const createHubWatch = (options: HubWatchOptions): HubWatch => {
  const { page, random, leads } = options
  let deaf: ReturnType<typeof setTimeout> | undefined
  let down: { timer: ReturnType<typeof setTimeout>; hidden: boolean } | undefined
  /** This tab has had its turn since any was connected: another try would change nothing. */
  let failed = false

  const mayTake = () => !leads() && !page.hidden && page.online

  const forget = () => {
    clearTimeout(down?.timer)
    down = undefined
  }

  const take = () => {
    clearTimeout(deaf)
    forget()
    if (mayTake()) options.onUseless()
  }

  const probe = () => {
    options.ping()
    if (!mayTake()) return
    clearTimeout(deaf)
    const probedAt = now()
    const giveUp = () => {
      // This tab was asleep itself, and answers may lie behind this timer.
      if (now() - probedAt > DEAF_MS + 2 * JITTER_MS) probe()
      else take()
    }
    deaf = setTimeout(giveUp, DEAF_MS + random() * JITTER_MS)
  }

  const unlisten = page.onChange(() => {
    if (!mayTake()) return
    options.wake()
    probe()
  })
  const probing = setInterval(() => {
    if (!page.hidden) probe()
  }, PROBE_EVERY_MS)
  probe()

  return {
    heard: (state, hidden) => {
      clearTimeout(deaf)
      if (isUp(state)) failed = false
      else if (leads()) failed = true
      if (isUp(state) || state === 'offline' || failed) return forget()
      if (down && down.hidden === hidden) return
      forget()
      const ms = (hidden ? DOWN_UNSEEN_MS : DOWN_SEEN_MS) + random() * JITTER_MS
      down = { timer: setTimeout(take, ms), hidden }
    },
    forget,
    close: () => {
      clearTimeout(deaf)
      clearInterval(probing)
      forget()
      unlisten()
    },
  }
}
