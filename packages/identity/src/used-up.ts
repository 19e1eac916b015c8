import { finishRedemption } from './device-codes.ts'
import { type Adapter, type KoaContextWithOIDC, Provider } from './oidc-provider.ts'
import { answerFailure } from './refusals.ts'
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

/** The routes by which a browser comes to an application. */
const ENTERING: readonly string[] = ['authorization', 'resume']

/**
 * Writes while an authorization request goes on, which writes three records that name each other: one round
 * trip instead of three. Nobody is told of one before all are written: the answer waits, and if one fails the
 * answer is that error. In other requests it is written at once.
 */
export const writeMeanwhile = async (write: () => Promise<void>): Promise<void> => {
  const state = requestState()
  if (!state || !ENTERING.includes(Provider.ctx?.oidc.route ?? '')) return write()
  const written = write()
  // If the request fails before, nobody asks.
  written.catch(() => {})
  state.writes = [...(state.writes ?? []), written]
}

/** A storage that writes like that. */
export const writingMeanwhile = (adapter: Adapter): Adapter => ({
  ...adapter,
  upsert: (...record) => writeMeanwhile(async () => void (await adapter.upsert(...record))),
})

/** An interaction is over when nothing else of its request can fail. So what was named last goes first. */
const useUp = async (ctx: KoaContextWithOIDC): Promise<void> => {
  const state = ctx.state as RequestState
  await Promise.all(state.writes ?? [])
  if (ctx.status === 200) await finishRedemption(state)
  for (const use of [...(state.lastly ?? [])].reverse()) await use()
}

/**
 * Answers a request only after all is written, and after the code, the pushed request and the interaction
 * that it was for are used up. If that fails, or if another request was faster, the answer is that error.
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
    answerFailure(ctx, error, onError, isSeen(ctx))
  }
}
