import type { Identity } from '@saoma/identity'
import { fail, ok, type Result } from '@saoma/protocol'
import type { Context } from '../transport/http/context.ts'
import { presented } from '../transport/http/credentials.ts'

/** The account of a phone's access token. Tokens of browsers cannot confirm logins. */
export const phoneOf =
  (identity: Identity) =>
  async (ctx: Context): Promise<Result<string>> => {
    const { token, proof } = presented(ctx)
    if (!token) return fail('UNAUTHORIZED')
    const verified = await identity.verify(token, proof)
    if (!verified.ok) return verified
    return verified.value.clientId === 'phone' ? ok(verified.value.sub) : fail('FORBIDDEN')
  }
