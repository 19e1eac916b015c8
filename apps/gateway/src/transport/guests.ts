import type { Duplex } from 'node:stream'
import { setTimeout as delay } from 'node:timers/promises'

/** A client that is sent to another node or connection, and then closed. */
export interface Guest {
  readonly isOpen: boolean
  /** The underlying connection. HTTP long-polling has none, because its requests come and go. */
  readonly tcp: Duplex | undefined
  sendAway(resumeAfterMs: number): void
  end(): void
}

/** Delay between two batches. */
const STEP_MS = 250
/**
 * This many reconnects a second are no storm, so a node with few clients needs less than the whole window.
 */
const LEAVES_PER_SECOND = 20
/**
 * Shortest window, for any number of clients: nginx needs two
 * seconds to use the previously updated node again.
 */
const LEAST_MS = 3_000

/** The window in which so many clients can leave without a storm, at most `windowMs`. */
export const windowFor = (many: number, windowMs: number): number =>
  Math.min(windowMs, Math.max(LEAST_MS, (many / LEAVES_PER_SECOND) * 1000))

/**
 * Sends guests away. Each one gets its own moment to reconnect. They are closed in batches over the window,
 * each after its moment. The close is not a DISCONNECT packet ("disconnected by the server"), after which a
 * client would not reconnect.
 *
 * @param onStep  called after each batch with the elapsed part of the window, 0 to 1
 * @param onEnd  called for each guest that did not leave by itself
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
      // A client that understands `drain` has already left.
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
