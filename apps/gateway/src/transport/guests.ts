import type { Duplex } from 'node:stream'
import { setTimeout as delay } from 'node:timers/promises'

/** Somebody who is told to go elsewhere, and whose connection is then closed. */
export interface Guest {
  readonly isOpen: boolean
  /** The connection underneath; none for HTTP long-polling, whose requests come and go. */
  readonly tcp: Duplex | undefined
  sendAway(resumeAfterMs: number): void
  end(): void
}

/** Time between two batches. */
const STEP_MS = 250
/**
 * A node with few clients need not take the whole window: so many that come back in a second are no storm.
 */
const LEAVES_PER_SECOND = 20
/** However few they are: nginx needs two seconds to use the node again that was updated before this one. */
const LEAST_MS = 3_000

/** How long so many may take to leave without a storm, at most `windowMs`. */
export const windowFor = (many: number, windowMs: number): number =>
  Math.min(windowMs, Math.max(LEAST_MS, (many / LEAVES_PER_SECOND) * 1000))

/**
 * Sends guests elsewhere: each is told its own moment to come back, and they are closed in batches over the
 * window, each after its moment. They are closed as connections, not as "disconnected by the server", which a
 * client would take for good.
 *
 * @param onStep  told after each batch which part of the window is over, 0 to 1
 * @param onEnd  told of each who did not leave by itself
 */
export const sendAway = async (
  guests: readonly Guest[],
  windowMs: number,
  { onStep = () => {}, onEnd }: { onStep?: (part: number) => void; onEnd: () => void },
): Promise<void> => {
  for (const [i, guest] of guests.entries())
    guest.sendAway(Math.round(((i + Math.random()) / guests.length) * windowMs))
  const steps = Math.ceil(windowMs / STEP_MS)
  const share = (step: number) => Math.round((guests.length * step) / steps)
  const close = (from: number, to: number) => {
    for (const guest of guests.slice(from, to)) {
      // Who knows what `drain` means has gone already.
      if (!guest.isOpen) continue
      guest.end()
      onEnd()
    }
  }
  for (let step = 1; step <= steps; step++) {
    await delay(STEP_MS)
    close(share(step - 1), share(step))
    onStep(step / steps)
  }
  if (steps === 0) close(0, guests.length)
}
