import type { Reaction } from '@saoma/protocol'
import type { Failure } from '../core/request.ts'

interface RefusalEntry {
  /** The status that a backend answers with. */
  status: 401 | 503
  /** What the client that sent the token does. */
  react: Reaction
  /** A sentence for the backend's log. */
  say: string
}

/** Why a token is refused. PROTOCOL.md lists the same codes. */
export const refusals = {
  TOKEN_MISSING: {
    status: 401,
    react: 'reauth',
    say: 'There is no token: the client sends `Authorization: Bearer` and its access token.',
  },
  TOKEN_MALFORMED: { status: 401, react: 'reauth', say: 'This is not an access token in the form of a signed JWT.' },
  ALGORITHM_REFUSED: {
    status: 401,
    react: 'stop',
    say: 'The token is not signed with ES256, the only algorithm of Saoma.',
  },
  TYPE_WRONG: {
    status: 401,
    react: 'stop',
    say: 'The type of the token is not `at+jwt`: the client sends the access token, not the id token.',
  },
  SIGNATURE_WRONG: { status: 401, react: 'reauth', say: 'The signature of the token is wrong: somebody changed it.' },
  KEY_UNKNOWN: { status: 401, react: 'reauth', say: 'Saoma does not publish the key that the token names.' },
  ISSUER_WRONG: { status: 401, react: 'stop', say: 'The token is of another issuer: compare `origin` with it.' },
  AUDIENCE_WRONG: { status: 401, react: 'stop', say: 'The token is for another audience.' },
  PHONE_TOKEN: {
    status: 401,
    react: 'stop',
    say: 'This token of a phone is for Saoma alone: a mini-program gets one for you with `client_id=miniprogram`.',
  },
  PROOF_MISSING: {
    status: 401,
    react: 'stop',
    say: 'The token is bound to a key: the page sends the headers of `session.authorize`, and you give `verify` the request.',
  },
  PROOF_WRONG: { status: 401, react: 'reauth', say: 'The proof does not show the key of the token for this request.' },
  TOKEN_EXPIRED: { status: 401, react: 'reauth', say: 'The token has expired: the client refreshes it.' },
  TOKEN_EARLY: { status: 401, react: 'stop', say: 'The token is not valid yet: compare the clocks of the machines.' },
  KEYS_UNREACHABLE: {
    status: 503,
    react: 'retry',
    say: 'The keys of Saoma cannot be fetched: answer 503, so that the client tries again with the same token.',
  },
} as const satisfies Record<string, RefusalEntry>

/** Why a token is refused, in one word. PROTOCOL.md explains each. */
export type RefusalCode = keyof typeof refusals

/** A token that is not accepted. */
export interface Refusal extends Failure {
  code: RefusalCode
  /** 401, or 503 if the same token may be good in a moment. */
  status: 401 | 503
}

/** The refusal for a code. `detail` says what was found in this case. */
export const refuse = (code: RefusalCode, detail?: string, retryAfterMs?: number): Refusal => {
  const { status, react, say } = refusals[code]
  const message = detail ? `${say} ${detail}` : say
  return { ok: false, code, status, react, message, ...(retryAfterMs === undefined ? {} : { retryAfterMs }) }
}
