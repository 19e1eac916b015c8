import { type Code, ok, type Result } from '@saoma/protocol'
import type { Principal } from '../../access/principal.ts'
import type { RevocationWatch } from '../../access/revocation-watch.ts'

/** How long somebody may stay: until the token or the session ends, or whatever else calls `end`. */
export interface Lifetime {
  /** Fires at its end. */
  readonly over: AbortSignal
  /** What ended it, unless the client is gone or sent away. */
  readonly code: Code | undefined
  end(code?: Code): void
  /** Ends it and lets go of what watches over it. */
  close(): void
}

/** Longest that a timer can wait. Whoever has a token that lives longer only has to come back once. */
const LONGEST_TIMER_MS = 2 ** 31 - 1

/**
 * Begins when no end can be missed any more; REVOKED if it is over already. `left` fires when the client is
 * gone or sent away.
 */
export const beginLifetime = async (
  revocations: RevocationWatch,
  who: Principal,
  left: AbortSignal,
): Promise<Result<Lifetime>> => {
  const ended = new AbortController()
  let code: Code | undefined
  const end = (why?: Code) => {
    code ??= why
    ended.abort()
  }
  const watch = await revocations.watch(who, () => end('REVOKED'))
  if (!watch.ok) return watch
  const timer =
    who.kind === 'person'
      ? setTimeout(() => end('TOKEN_EXPIRED'), Math.min(who.expiresAt - Date.now(), LONGEST_TIMER_MS))
      : undefined
  return ok({
    over: AbortSignal.any([left, ended.signal]),
    get code() {
      return code
    },
    end,
    close: () => {
      end()
      clearTimeout(timer)
      watch.value.close()
    },
  })
}
