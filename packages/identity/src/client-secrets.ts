import { hash, timingSafeEqual } from 'node:crypto'

/** The parts of the provider's model that this file replaces. */
interface ClientModel {
  prototype: { clientSecret?: string; compareClientSecret(actual: string): boolean | Promise<boolean> }
}

/**
 * Makes the provider compare the hash of a secret. Its own comparison wants the secret itself. A secret has
 * 256 random bits, so one round of SHA-256 is as good as many.
 */
export const compareHashedSecrets = (model: object): void => {
  const { prototype } = model as ClientModel
  prototype.compareClientSecret = function (actual: string): boolean {
    const known = Buffer.from(this.clientSecret ?? '', 'hex')
    const given = hash('sha256', actual, 'buffer')
    return known.length === given.length && timingSafeEqual(known, given)
  }
}
