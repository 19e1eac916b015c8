import { readBytes } from '@saoma/protocol'

const DISCOVERY = '/oidc/.well-known/openid-configuration'
/** More than any discovery document has. */
const MOST_BYTES = 256 * 1024

/** What answers at an origin. */
export type OriginAnswer =
  /** A cluster with this origin. */
  | { kind: 'this'; headers: Headers }
  /** A cluster that has another origin. */
  | { kind: 'saoma'; headers: Headers; status: number; issuer: string }
  | { kind: 'redirect'; headers: Headers; status: number; to: string }
  /** A server that is no Saoma, or a proxy that reaches no node. */
  | { kind: 'other'; headers: Headers; status: number }
  /** Nobody. `code` is Node's, or TIMEOUT. */
  | { kind: 'silent'; code: string; why: string }

const issuerIn = async (answer: Response): Promise<unknown> => {
  try {
    // 204, 205 and 304 have none.
    if (!answer.body) return undefined
    const bytes = await readBytes(answer.body, MOST_BYTES)
    return (JSON.parse(new TextDecoder().decode(bytes)) as { issuer?: unknown } | null)?.issuer
  } catch (error) {
    // A body that is too long, or no JSON. Anything else is a broken connection.
    if (error instanceof RangeError || error instanceof SyntaxError) return undefined
    throw error
  }
}

/**
 * Asks who answers at an origin, by the issuer in its discovery document. Follows no redirect: browsers do
 * not follow one for a request of another origin, or for a WebSocket. Never rejects.
 *
 * @param signal  ends the wait
 */
export const askOrigin = async (origin: string, signal: AbortSignal): Promise<OriginAnswer> => {
  try {
    const answer = await fetch(`${origin}${DISCOVERY}`, { redirect: 'manual', signal })
    const { status, headers } = answer
    const location = headers.get('location')
    if (status >= 300 && status < 400 && location !== null) {
      await answer.body?.cancel()
      return { kind: 'redirect', headers, status, to: URL.parse(location, origin)?.href ?? location }
    }
    const issuer = await issuerIn(answer)
    if (issuer === `${origin}/oidc`) return { kind: 'this', headers }
    if (typeof issuer === 'string' && issuer.endsWith('/oidc')) return { kind: 'saoma', headers, status, issuer }
    return { kind: 'other', headers, status }
  } catch (error) {
    if (signal.aborted) return { kind: 'silent', code: 'TIMEOUT', why: 'no answer came in time' }
    // The error of fetch itself only says that it failed.
    const { message, cause } = error as Error & { cause?: Partial<NodeJS.ErrnoException> }
    return { kind: 'silent', code: cause?.code ?? '', why: cause?.message || cause?.code || message }
  }
}
