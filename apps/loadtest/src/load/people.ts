import { type Answer, backoffMs, decodeClaims, type Failure, form, request } from '@saoma/client'
import { fail, ok, type Result, WX_CODE_GRANT } from '@saoma/protocol'
import type { Network } from './network.ts'

/** A person with a token that stays valid: it is exchanged before it expires. */
export interface Person {
  /** The id of the person. */
  readonly sub: string
  token(): Promise<string>
}

/** A token is exchanged this long before it expires. */
const AHEAD_MS = 90_000
const RETRY = { baseMs: 300, capMs: 5_000 }
const WITHIN_MS = 30_000
const REQUEST_TIMEOUT_MS = 10_000
/** Concurrent token requests. */
const AT_ONCE = 16

interface Given {
  token: string
  endsAt: number
}

const parseGiven = (body: unknown): Result<Given> => {
  const { access_token: token, expires_in: seconds } = Object(body) as { access_token?: unknown; expires_in?: unknown }
  if (typeof token !== 'string' || typeof seconds !== 'number') return fail('INVALID')
  return ok({ token, endsAt: Date.now() + seconds * 1_000 })
}

/** Retries like a client: while the answer allows it, with back-off, for a bounded time. */
export const persist = async <T>(attempt: () => Promise<Answer<T>>, withinMs = WITHIN_MS): Promise<Answer<T>> => {
  const until = Date.now() + withinMs
  for (let tries = 0; ; tries++) {
    const answer = await attempt()
    if (answer.ok || answer.react !== 'retry') return answer
    const waitMs = Math.max(answer.retryAfterMs ?? 0, backoffMs(tries, RETRY, Math.random))
    if (Date.now() + waitMs > until) return answer
    await new Promise((resolve) => setTimeout(resolve, waitMs))
  }
}

const sentence = (who: string, { code, message }: Failure): string =>
  code === 'invalid_grant' || code === 'unauthorized_client'
    ? `${who} has no demo phone: this server is not in demo mode. Give tokens of your own: --phone-token-file for logins, --token-file for channels`
    : `${who} was given no token: ${code}: ${message}`

/** A demo account. `phone` decides about logins; `miniprogram` has tokens for channels. */
const createDemo = async (
  { fetch }: Network,
  url: string,
  client: 'phone' | 'miniprogram',
  name: string,
): Promise<Person> => {
  const ask = async (): Promise<Given> => {
    const init = form({ grant_type: WX_CODE_GRANT, client_id: client, code: `demo:${name}` })
    const answer = await persist(() =>
      request({ fetch, url: `${url}/oidc/token`, init, parse: parseGiven, timeoutMs: REQUEST_TIMEOUT_MS }),
    )
    if (!answer.ok) throw new Error(sentence(name, answer))
    return answer.value
  }
  let present = await ask()
  let asking: Promise<void> | undefined
  return {
    sub: decodeClaims(present.token)?.sub ?? '',
    token: async () => {
      if (Date.now() > present.endsAt - AHEAD_MS) {
        asking ??= ask()
          .then((given) => {
            present = given
          })
          .finally(() => {
            asking = undefined
          })
        try {
          await asking
        } catch (error) {
          // A later caller may succeed. The current token is valid until it expires.
          if (Date.now() >= present.endsAt) throw error
        }
      }
      return present.token
    },
  }
}

export const createDemos = async (
  network: Network,
  url: string,
  client: 'phone' | 'miniprogram',
  names: readonly string[],
): Promise<Person[]> => {
  const people: Person[] = []
  for (let i = 0; i < names.length; i += AT_ONCE)
    people.push(
      ...(await Promise.all(names.slice(i, i + AT_ONCE).map((name) => createDemo(network, url, client, name)))),
    )
  return people
}

/**
 * People with tokens from a file. A user id follows a token that does not contain it. These tokens are never
 * renewed.
 */
export const holdersOf = (lines: readonly string[]): Person[] =>
  lines.map((line) => {
    const [token = '', id] = line.split(/\s+/)
    const sub = id ?? decodeClaims(token)?.sub
    if (sub === undefined)
      throw new Error('a token of the file has no user id: write the id after the token and a space')
    return { sub, token: async () => token }
  })
