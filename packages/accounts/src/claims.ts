import * as v from 'valibot'

/** Bytes of the JSON of a person's claims. They are in every id token. */
export const MOST_CLAIM_BYTES = 4_096

/** The standard claims (OpenID Connect Core, section 5.1) that an account may have. */
const standardClaims = {
  name: v.optional(v.pipe(v.string(), v.minLength(1), v.maxLength(128))),
  picture: v.optional(v.pipe(v.string(), v.url(), v.regex(/^https?:/), v.maxLength(1_024))),
  locale: v.optional(v.pipe(v.string(), v.regex(/^[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*$/))),
  phone_number: v.optional(v.pipe(v.string(), v.regex(/^\+?[0-9]{3,20}$/))),
} as const
type StandardClaims = { [Name in keyof typeof standardClaims]?: string }

/**
 * What is known of a person. Names that are URIs are the business's own. `phone_number_verified` is there
 * only if WeChat has told the number: nobody can send it.
 */
export type Claims = StandardClaims & { phone_number_verified?: true } & {
  readonly [own: `${string}:${string}`]: unknown
}

/** The name of a claim of a business: a URI, so that it can never be taken for a standard one. */
export const isOwnClaim = (name: string): boolean =>
  /^[a-z][a-z0-9+.-]*:[\x21-\x7e]{1,200}$/i.test(name) && URL.canParse(name)

/**
 * A schema of claims. A name that is neither standard nor in `own` is refused, and so are claims that are too
 * large.
 *
 * @param own  names of the business's own claims
 */
export const claimsSchema = (own: readonly string[]): v.GenericSchema<unknown, Claims> =>
  v.pipe(
    v.strictObject({
      ...standardClaims,
      ...Object.fromEntries(own.map((name) => [name, v.optional(v.unknown())])),
    }),
    v.check(
      (claims) => Buffer.byteLength(JSON.stringify(claims)) <= MOST_CLAIM_BYTES,
      `must have at most ${MOST_CLAIM_BYTES} bytes`,
    ),
  ) as unknown as v.GenericSchema<unknown, Claims>

/**
 * The claims of an account after a meeting; undefined if nobody said anything. `claims` of the business take
 * the place of all before, and `profile` of those that it names. `phoneNumber` is what WeChat told now. It
 * stays, and stays verified, until WeChat tells another one or the business says another one.
 */
export const claimsAfter = (
  before: Claims,
  { claims, phoneNumber, profile }: { claims?: Claims; phoneNumber?: string; profile?: Claims },
): Claims | undefined => {
  if (claims === undefined && phoneNumber === undefined && profile === undefined) return undefined
  const { phone_number_verified: isVerified, ...kept } = before
  const said = claims ?? { ...kept, ...profile }
  const verified = phoneNumber ?? (isVerified ? kept.phone_number : undefined)
  if (verified === undefined) return said
  const number = (claims ?? profile)?.phone_number ?? verified
  return { ...said, phone_number: number, ...(number === verified ? { phone_number_verified: true } : {}) }
}
