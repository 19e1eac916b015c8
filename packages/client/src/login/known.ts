import type { TokenSet } from '@saoma/protocol'
import type { decodeClaims } from '../core/claims.ts'
import { forgetKey, prove } from '../core/dpop.ts'
import type { createStored } from '../core/storage.ts'

/*
 * Loaded only where a browser may be remembered: see login.ts. What it shares with the login is handed to it.
 * If it imported that, bundlers would put it into a file of its own, which every page would have to load.
 */

/** Somebody who has logged in at this browser before. `name` is for display. */
export interface KnownPerson {
  sub: string
  name?: string
}

/** The fields of a request. */
type Fields = Record<string, string>

/** What a browser remembers of whoever has logged in there, and how it proves that. */
export interface Known {
  readonly person: KnownPerson | undefined
  /** The fields that ask this person's phone. None if nobody is known. */
  asks(url: string): Promise<Fields>
  /**
   * The fields of a request for tokens: to remember this browser for whoever gets them if `wants`, else to go
   * on remembering it for the person who is known, if these are that person's tokens.
   */
  offers(url: string, wants: boolean): Promise<Fields>
  /** Remembers the person of these tokens, if the server does. */
  learn(tokens: TokenSet): void
  /** The key is dropped too, so the browser can ask this person's phone no more. */
  forget(): void
}

const textOf = (value: unknown): string | undefined => (typeof value === 'string' && value !== '' ? value : undefined)

export interface KnownDeps {
  /** Where the person is noted. The key lies in IndexedDB. */
  stored: ReturnType<typeof createStored>
  claimsOf: typeof decodeClaims
}

export const createKnown = (origin: string, { stored, claimsOf }: KnownDeps): Known => {
  const keyName = `${new URL(origin).origin} browser`

  const read = (): KnownPerson | undefined => {
    const { sub, name } = (stored.read() ?? {}) as { sub?: unknown; name?: unknown }
    const [id, shown] = [textOf(sub), textOf(name)]
    return id === undefined ? undefined : { sub: id, ...(shown === undefined ? {} : { name: shown }) }
  }

  /** Without a key there is a code as always. */
  const proof = async (url: string): Promise<Fields> => {
    try {
      return { browser_proof: await prove(keyName, { method: 'POST', url }) }
    } catch {
      return {}
    }
  }
  const asks = async (url: string): Promise<Fields> => {
    const person = read()
    return person ? { browser_of: person.sub, ...(await proof(url)) } : {}
  }

  const forget = () => {
    stored.clear()
    // A key that stays asks nobody's phone: the page does not know whose any more.
    forgetKey(keyName).catch(() => {})
  }

  return {
    get person() {
      return read()
    },
    asks,
    offers: (url, wants) => (wants ? proof(url) : asks(url)),
    learn: ({ id_token, access_token, browser_remembered, remembered_name }) => {
      const { sub, name } = claimsOf(id_token) ?? claimsOf(access_token) ?? {}
      if (sub === undefined) return
      const shown = textOf(remembered_name) ?? textOf(name)
      if (browser_remembered) stored.write({ sub, ...(shown === undefined ? {} : { name: shown }) })
      // The person has taken this browser off the list, or it has lost its key.
      else if (read()?.sub === sub) forget()
    },
    forget,
  }
}
