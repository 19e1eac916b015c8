import { type Code, type EndNotice, ok, type Result } from '@saoma/protocol'
import type { Principal } from '../../access/principal.ts'
import type { RevocationWatch } from '../../access/revocation-watch.ts'

/** How long a client may stay: until the token or session ends, or another part calls `end`. */
export interface Lifetime {
  /** Aborts at its end. */
  readonly over: AbortSignal
  /** The reason of the end; undefined if the client left or was sent away. */
  readonly notice: EndNotice | undefined
  end(code?: Code): void
  /** Ends it, and closes its revocation watch. */
  close(): void
}

/** Longest delay of a timer. A client whose token lives longer has to reconnect once. */
const LONGEST_TIMER_MS = 2 ** 31 - 1

/**
 * Resolves once no revocation can be missed, or with REVOKED if the session has already ended. `left` aborts
 * when the client leaves or is sent away.
 */
export const beginLifetime = async (
  revocations: RevocationWatch,
  who: Principal,
  left: AbortSignal,
): Promise<Result<Lifetime>> => {
  const ended = new AbortController()
  let notice: EndNotice | undefined
  const finish = (why?: EndNotice) => {
    notice ??= why
    ended.abort()
  }
  const end = (code?: Code) => finish(code && { code })
  const watch = await revocations.watch(who, finish)
  if (!watch.ok) return watch
  const timer =
    who.kind === 'person'
      ? setTimeout(() => end('TOKEN_EXPIRED'), Math.min(who.expiresAt - Date.now(), LONGEST_TIMER_MS))
      : undefined
  return ok({
    over: AbortSignal.any([left, ended.signal]),
    get notice() {
      return notice
    },
    end,
    close: () => {
      end()
      clearTimeout(timer)
      watch.value.close()
    },
  })
}
