import { finishRedemption } from './device-codes.ts'
import { errorPage } from './error-page.ts'
import { errors, type KoaContextWithOIDC } from './oidc-provider.ts'
import { outage } from './outage.ts'
import { type RequestState, requestState } from './request-state.ts'

/**
 * Uses something up when all that the request gives for it is written. If a step before fails, the client may
 * repeat the request with what it has. Outside of a request of the provider it is used up at once.
 */
export const useUpLast = async (use: () => Promise<void>): Promise<void> => {
  const state = requestState()
  if (!state) return use()
  state.lastly = [...(state.lastly ?? []), use]
}

/** An interaction is over when nothing else of its request can fail. So what was named last goes first. */
const useUp = async (ctx: KoaContextWithOIDC): Promise<void> => {
  const state = ctx.state as RequestState
  if (ctx.status === 200) await finishRedemption(state)
  for (const use of [...(state.lastly ?? [])].reverse()) await use()
}

/**
 * Answers a request only after the code, the pushed request and the interaction that it was for are used up.
 * If that fails, or if another request was faster, the answer is that error.
 *
 * @param isSeen  whether people see the answer
 */
export const answerUsedUp = async (
  ctx: KoaContextWithOIDC,
  isSeen: (ctx: KoaContextWithOIDC) => boolean,
  onError: (ctx: KoaContextWithOIDC, error: Error) => void,
): Promise<void> => {
  if (ctx.status >= 500) return
  try {
    await useUp(ctx)
  } catch (error) {
    const failure = outage(error)
    if (!(failure instanceof errors.OIDCProviderError)) throw failure
    ctx.status = failure.statusCode
    if (isSeen(ctx)) errorPage(ctx, failure)
    else ctx.body = { error: failure.error, error_description: failure.error_description }
    onError(ctx, failure)
  }
}
