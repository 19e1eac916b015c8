import type { Result } from '@saoma/protocol'
import { createCircuitBreaker } from './circuit-breaker.ts'
import type { QrPicture, ShownPicture } from './picture.ts'
import type { PooledPicture } from './pooled-picture.ts'
import { withTimeout } from './with-timeout.ts'

export interface FreshThenPoolDeps {
  /** Makes WeChat draw a code. */
  draw: (ticket: string) => Promise<Result<ShownPicture>>
  pooled: PooledPicture
  /** Called when WeChat begins to fail, and when it draws again. */
  onSwitch: (isPooled: boolean) => void
  /** Whether a pooled code is leased to the ticket. */
  isLeased: (ticket: string) => Promise<boolean>
}

/** How long to wait for WeChat before showing a pooled code. */
const PATIENCE_MS = 2_500
/** Pause of the circuit breaker, so that an outage does not cost every visitor that wait. */
const PAUSE_MS = 5_000

/** Lets WeChat draw the code. If WeChat fails or is slow, the code comes from the pool. */
export const freshThenPool = ({ draw, pooled, onSwitch, isLeased }: FreshThenPoolDeps): QrPicture => {
  const breaker = createCircuitBreaker(PAUSE_MS, onSwitch)

  /** The pooled code of a ticket, if it has one: a ticket keeps the pooled code that was shown once. */
  const kept: PooledPicture = async (ticket, wish) => ((await isLeased(ticket)) ? pooled(ticket, wish) : undefined)

  return async (ticket, wish) => {
    const leased = await kept(ticket, wish)
    if (leased) return { ok: true, value: leased }

    const drawing = breaker.admits() ? draw(ticket) : undefined
    if (drawing) {
      const drawn = await withTimeout(PATIENCE_MS, drawing)
      if (drawn?.ok) {
        breaker.succeeded()
        // Another request for the same ticket may have got a pooled code meanwhile.
        const shown = await kept(ticket, wish)
        return shown ? { ok: true, value: shown } : drawn
      }
      breaker.failed()
    }
    const instead = await pooled(ticket, wish)
    if (instead) return { ok: true, value: instead }
    // The pool is empty: only WeChat is left, however slow it is.
    const drawn = await (drawing ?? draw(ticket))
    if (drawn.ok && !drawing) breaker.succeeded()
    return drawn
  }
}
