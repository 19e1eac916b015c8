import type { TokenSet } from '@saoma/protocol'
import { decodeClaims } from '../core/claims.ts'
import { browserStorage, createStored, type KeyValue } from '../core/storage.ts'

/** Somebody who has logged in at this browser before. `name` is for display. */
export interface KnownPerson {
  sub: string
  name?: string
}

/** What a page remembers of whoever has logged in at this browser, and how it proves that. */
export interface Known {
  readonly person: KnownPerson | undefined
  /** The fields of a request that say so. None if nobody is known, or if this browser keeps no keys. */
  asks(url: string): Promise<Record<string, string>>
  /** The fields of a request for tokens that ask the server to remember this browser. */
  offers(url: string): Promise<Record<string, string>>
  /** The server has remembered this browser for the person of these tokens. */
  remember(tokens: TokenSet): void
  forget(): void
}

const textOf = (value: unknown): string | undefined => (typeof value === 'string' && value !== '' ? value : undefined)

/** @param storage  where the person is noted. @default localStorage. The key lies in IndexedDB */
export const createKnown = (origin: string, storage: KeyValue = browserStorage('localStorage')): Known => {
  const stored = createStored(storage, `saoma:known:${origin}`)
  const read = (): KnownPerson | undefined => {
    const { sub, name } = (stored.read() ?? {}) as { sub?: unknown; name?: unknown }
    const [id, shown] = [textOf(sub), textOf(name)]
    return id === undefined ? undefined : { sub: id, ...(shown === undefined ? {} : { name: shown }) }
  }
  /** Without a key there is a code as always. */
  const proof = async (url: string): Promise<Record<string, string>> => {
    try {
      const { prove } = await import('../core/dpop.ts')
      return { browser_proof: await prove(`${new URL(origin).origin} browser`, { method: 'POST', url }) }
    } catch {
      return {}
    }
  }

  return {
    get person() {
      return read()
    },
    asks: async (url) => {
      const person = read()
      return person ? { browser_of: person.sub, ...(await proof(url)) } : {}
    },
    offers: proof,
    remember: ({ id_token, access_token }) => {
      const claims = decodeClaims(id_token) ?? decodeClaims(access_token)
      if (!claims) return
      const former = read()
      // The page of an interaction is not told the name.
      const name = textOf(claims.name) ?? (former?.sub === claims.sub ? former.name : undefined)
      stored.write({ sub: claims.sub, ...(name === undefined ? {} : { name }) })
    },
    forget: stored.clear,
  }
}
