import { now } from '../core/clock.ts'
import type { Page } from '../core/page.ts'
import { isUp, type LiveState } from './upstream.ts'

export interface HubWatchOptions {
  page: Page
  random: () => number
  /** Whether the hub runs in this tab. */
  leads: () => boolean
  /** Asks for a sign of life. */
  ping: () => void
  /** Asks the hub to retry now. */
  wake: () => void
  /** The hub does not answer or does not connect. It should move to this tab, which is visible. */
  onUseless: () => void
}

/** A visible tab uses this to check that the hub works. */
export interface HubWatch {
  /** The hub has reported its state. */
  heard(state: LiveState, hidden: boolean): void
  /** There is no hub, or a new one. */
  forget(): void
  close(): void
}

const PROBE_EVERY_MS = 5_000
/** A hub that is silent for this long runs in a tab that the browser has suspended. */
const DEAF_MS = 3_000
/** The timers of a hidden page are throttled, so it reconnects slowly. */
const DOWN_UNSEEN_MS = 3_000
/** The cause may lie in the hub's tab alone, for example in its token. */
const DOWN_SEEN_MS = 15_000
/** Spreads visible tabs, so that only one takes over. */
const JITTER_MS = 1_000

export const createHubWatch = (options: HubWatchOptions): HubWatch => {
  const { page, random, leads } = options
  let deaf: ReturnType<typeof setTimeout> | undefined
  let down: { timer: ReturnType<typeof setTimeout>; hidden: boolean } | undefined
  /** This tab led since the last working connection and failed. Taking over again would not help. */
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
      // This tab itself was suspended. Answers may be queued behind this timer.
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
