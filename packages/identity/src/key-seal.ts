import { createSeal } from '@saoma/redis'

/** Encrypts and decrypts the signing keys that are stored in Redis. */
export interface KeySeal {
  close(value: unknown): Promise<string>
  /** Rejects with an error for the operator, code WRONG_SECRET, when none of the secrets decrypts it. */
  open(sealed: string): Promise<unknown>
}

export const createKeySeal = (secrets: readonly [string, ...string[]]): KeySeal => {
  const seal = createSeal({ secrets, purpose: 'saoma signing keys' })
  return {
    close: (value) => seal.close(JSON.stringify(value)),
    open: async (sealed) => {
      const text = await seal.open(sealed)
      if (text !== undefined) return JSON.parse(text)
      throw Object.assign(
        new Error(
          'SAOMA_SECRET does not open the signing keys in Redis. Name the secret they were made with in SAOMA_PREVIOUS_SECRET, or begin anew with an empty Redis.',
        ),
        { code: 'WRONG_SECRET' },
      )
    },
  }
}
