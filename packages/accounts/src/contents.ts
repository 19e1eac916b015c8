import { parseExact } from '@saoma/protocol'
import * as v from 'valibot'
import type { OutsideIdentity } from './account.ts'
import type { Box } from './box.ts'
import type { Claims } from './claims.ts'

/** Encrypts and reads what an account holds. Each value opens only in its own account. */
export interface Contents {
  sealIdentity(identity: OutsideIdentity, sub: string): string
  openIdentity(sealed: string, sub: string): OutsideIdentity | undefined
  sealClaims(claims: Claims, sub: string): string
  /** Empty for claims that cannot be read. */
  openClaims(sealed: string | null | undefined, sub: string): Claims
}

const Identity: v.GenericSchema<unknown, OutsideIdentity> = v.object({
  provider: v.picklist(['wechat', 'app', 'passkey', 'demo']),
  app: v.string(),
  id: v.string(),
  union: v.exactOptional(v.string()),
})
const readIdentity = v.safeParser(v.pipe(v.string(), v.parseJson(), Identity))
const readClaims = v.safeParser(v.pipe(v.string(), v.transform(parseExact), v.record(v.string(), v.unknown())))

export const createContents = (boxes: () => readonly [Box, ...Box[]]): Contents => {
  const identityPlace = (sub: string) => `identity ${sub}`
  const claimsPlace = (sub: string) => `claims ${sub}`
  const open = (sealed: string, place: string): string | undefined => {
    for (const box of boxes()) {
      const text = box.open(sealed, place)
      if (text !== undefined) return text
    }
    return undefined
  }

  return {
    sealIdentity: (identity, sub) => boxes()[0].seal(JSON.stringify(identity), identityPlace(sub)),
    openIdentity: (sealed, sub) => {
      const read = readIdentity(open(sealed, identityPlace(sub)))
      return read.success ? read.output : undefined
    },
    sealClaims: (claims, sub) => boxes()[0].seal(JSON.stringify(claims), claimsPlace(sub)),
    openClaims: (sealed, sub) => {
      if (!sealed) return {}
      const read = readClaims(open(sealed, claimsPlace(sub)))
      return read.success ? (read.output as Claims) : {}
    },
  }
}
