import { hash, timingSafeEqual } from 'node:crypto'
import type { Client } from './client.ts'

/** The parts of the provider's model that this file replaces. */
interface ClientModel {
  prototype: { clientSecret?: string; compareClientSecret(actual: string): boolean | Promise<boolean> }
}

/** What the provider knows in place of the secret: hashes with a space between two, each with its end. */
export const hashesOf = ({ secretSha256 = '', formerSecrets = [] }: Client): string =>
  [secretSha256, ...formerSecrets.map(({ sha256, until }) => `${sha256}.${until}`)].join(' ')

/**
 * Makes the provider compare the hashes of secrets. Its own comparison wants the secret itself. A secret has
 * 256 random bits, so one round of SHA-256 is as good as many.
 */
export const compareHashedSecrets = (model: object): void => {
  const { prototype } = model as ClientModel
  prototype.compareClientSecret = function (actual: string): boolean {
    const given = hash('sha256', actual, 'buffer')
    const now = Date.now()
    return (this.clientSecret ?? '').split(' ').some((known) => {
      const [sha256 = '', until] = known.split('.')
      const bytes = Buffer.from(sha256, 'hex')
      const isGood = until === undefined || Number(until) > now
      return isGood && bytes.length === given.length && timingSafeEqual(bytes, given)
    })
  }
}
