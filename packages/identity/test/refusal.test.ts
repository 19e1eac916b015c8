import type { Refused } from '@saoma/accounts'
import type { KoaContextWithOIDC } from '../src/oidc-provider.ts'
import { addProblem, refusalOf } from '../src/refusal.ts'

test('the client is told the sentence for the person, and the log what else there is', () => {
  const refused: Refused = { allow: false, why: 'ACCOUNT_REFUSED', detail: 'Not you.', reason: 'for the log', sub: 's' }
  const ctx = { state: {}, status: 403, body: { error: 'access_denied' } } as unknown as KoaContextWithOIDC
  expect(refusalOf(ctx, refused)).toMatchObject({ status: 403, error_detail: 'for the log' })
  addProblem(ctx)
  expect(ctx.body).toMatchObject({ code: 'ACCOUNT_REFUSED', detail: 'Not you.', react: 'stop', status: 403 })
  expect(JSON.stringify(ctx.body)).not.toMatch(/for the log|"s"/)
})
