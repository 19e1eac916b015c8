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

/** Longest delay of a timer. */
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
  let timer: NodeJS.Timeout | undefined
  const wait = (): void => {
    const left = who.expiresAt - Date.now()
    if (left <= 0) end('TOKEN_EXPIRED')
    else if (left < Number.POSITIVE_INFINITY) timer = setTimeout(wait, Math.min(left, LONGEST_TIMER_MS))
  }
  wait()
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
