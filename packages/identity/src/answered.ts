import { errors, type KoaContextWithOIDC } from './oidc-provider.ts'

/**
 * Runs the provider. When it cannot store a browser's session, it answers that, and tries once more behind
 * the answer. The failure of that second try is nobody's news.
 */
export const answered = async (ctx: KoaContextWithOIDC, run: () => Promise<unknown>): Promise<void> => {
  try {
    await run()
  } catch (error) {
    if (!(error instanceof errors.TemporarilyUnavailable) || ctx.status !== 503) throw error
  }
}
