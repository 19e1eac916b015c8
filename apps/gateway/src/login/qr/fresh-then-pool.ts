import type { Result } from '@saoma/protocol'
import { createCircuitBreaker } from './circuit-breaker.ts'
import type { QrPicture, ShownPicture } from './picture.ts'
import type { PooledPicture } from './pooled-picture.ts'
import { withTimeout } from './with-timeout.ts'

export interface FreshThenPoolDeps {
  /** Lets WeChat draw one. */
  draw: (ticket: string) => Promise<Result<ShownPicture>>
  pooled: PooledPicture
  /** Told when WeChat begins to fail, and when it draws again. */
  onSwitch: (isPooled: boolean) => void
  /** Whether the ticket has a code of the pool. */
  isLeased: (ticket: string) => Promise<boolean>
}

/** How long a person waits for WeChat before a code of the pool is shown. */
const PATIENCE_MS = 2_500
/** How long WeChat is left alone after it failed, so that an outage does not cost every visitor that wait. */
const PAUSE_MS = 5_000

/** WeChat draws the code; when it fails or is slow, the pool has one. */
export const freshThenPool = ({ draw, pooled, onSwitch, isLeased }: FreshThenPoolDeps): QrPicture => {
  const breaker = createCircuitBreaker(PAUSE_MS, onSwitch)

  /**
   * What is shown instead of a code that WeChat drew: a ticket keeps the code of the pool that it was shown
   * once.
   */
  const kept: PooledPicture = async (ticket, wish) => ((await isLeased(ticket)) ? pooled(ticket, wish) : undefined)

  return async (ticket, wish) => {
    const leased = await kept(ticket, wish)
    if (leased) return { ok: true, value: leased }

    const drawing = breaker.admits() ? draw(ticket) : undefined
    if (drawing) {
      const drawn = await withTimeout(PATIENCE_MS, drawing)
      if (drawn?.ok) {
        breaker.succeeded()
        // Another request for the same ticket may have been less lucky meanwhile.
        const shown = await kept(ticket, wish)
        return shown ? { ok: true, value: shown } : drawn
      }
      breaker.failed()
    }
    const instead = await pooled(ticket, wish)
    if (instead) return { ok: true, value: instead }
    // Nothing in the pool: WeChat, however slow it may be, is all there is.
    const drawn = await (drawing ?? draw(ticket))
    if (drawn.ok && !drawing) breaker.succeeded()
    return drawn
  }
}
