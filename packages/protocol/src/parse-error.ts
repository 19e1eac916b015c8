import * as v from 'valibot'
import { type Code, codes, type Result } from './codes.ts'
import { Count, parser } from './parser.ts'
import type { OAuthError, Problem } from './routes.ts'

/* Parsers of refusals, as in `parse.ts`. */

const CodeName = v.picklist(Object.keys(codes) as Code[])

export const ProblemBody = v.object({
  type: v.string(),
  title: v.string(),
  status: Count,
  detail: v.optional(v.string()),
  instance: v.optional(v.string()),
  code: CodeName,
  react: v.picklist(['retry', 'reauth', 'renew', 'stop']),
  reason: v.optional(v.string()),
  left: v.optional(Count),
})

const OAuthErrorBody = v.object({
  error: v.string(),
  error_description: v.optional(v.string()),
  // A later version may have another code.
  code: v.fallback(v.optional(CodeName), undefined),
  reason: v.optional(v.string()),
})

/**
 * Error body of the `/v1` routes (RFC 9457). What a proxy answers by itself is none.
 *
 * @example
 * ```ts
 * import { parseProblem } from '@saoma/protocol'
 * const response = await fetch('https://login.example.com/v1/sessions')
 * const parsed = parseProblem(await response.json())
 * console.log(parsed.ok && parsed.value.code) // -> UNAUTHORIZED
 * console.log(parseProblem('<html>').ok) // -> false
 * ```
 */
export const parseProblem: (input: unknown) => Result<Problem> = parser(ProblemBody)
/**
 * Error body of the `/oidc` routes (RFC 6749 section 5.2).
 *
 * @example
 * ```ts
 * import { parseOAuthError } from '@saoma/protocol'
 * console.log(parseOAuthError({ error: 'invalid_grant' }).ok) // -> true
 * console.log(parseOAuthError({ code: 'REVOKED' })) // -> { ok: false, code: 'INVALID', unfit: [ 'error' ] }
 * ```
 */
export const parseOAuthError: (input: unknown) => Result<OAuthError> = parser(OAuthErrorBody)
