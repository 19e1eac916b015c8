import * as v from 'valibot'
import { readJsonList } from './json-list.ts'
import { type SignatureAlgorithm, signatureAlgorithms } from './key-set.ts'
import type { KeySource } from './key-source.ts'
import { isWebAddress } from './web-address.ts'

/** The claims of an account that a token of the business's app may fill. */
export const profileNames = ['name', 'picture', 'locale', 'phone_number'] as const
export type ProfileName = (typeof profileNames)[number]

/** Whoever signs the tokens with which the business's own app becomes a phone. */
export interface PhoneIssuer {
  /** Where the ids of its people are valid: the `app` of their identities. */
  name: string
  /** The `iss` of its tokens. */
  issuer: string
  source: KeySource
  /** A token must be for one of these. */
  audiences: readonly string[]
  algorithms: readonly SignatureAlgorithm[]
  /** The claim that names the person. */
  personClaim: string
  /** The claims that hold a profile, by the names that an account has for them. */
  profileClaims: Readonly<Partial<Record<ProfileName, string>>>
  /** Whether its app has to prove a key (RFC 9449). */
  needsKey: boolean
}

const word = (most: number, what: string) => v.pipe(v.string(what), v.minLength(1, what), v.maxLength(most, what))
const claim = word(200, 'must be the name of a claim')
const NAME_RULE = 'must be 1 to 64 of A-Z, a-z, 0-9, . _ and -'
const ALGORITHM_RULE = `must list some of ${signatureAlgorithms.join(', ')}`
const AUDIENCE_RULE = 'must be a text, or a list of texts'
const ADDRESS_RULE = 'must be a URL such as https://login.example.com/jwks.json, without a user'

const Entry = v.strictObject({
  name: v.pipe(v.string(NAME_RULE), v.regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/, NAME_RULE)),
  issuer: word(512, 'must be the iss of the tokens'),
  jwks_uri: v.optional(v.pipe(v.string(ADDRESS_RULE), v.check(isWebAddress, ADDRESS_RULE))),
  jwks_file: v.optional(v.pipe(v.string(), v.regex(/^[/.]/, 'must be a path that begins with / or .'))),
  audience: v.union(
    [
      v.pipe(
        word(512, AUDIENCE_RULE),
        v.transform((text) => [text]),
      ),
      v.pipe(v.array(word(512, AUDIENCE_RULE), AUDIENCE_RULE), v.minLength(1, AUDIENCE_RULE)),
    ],
    AUDIENCE_RULE,
  ),
  person_claim: v.optional(claim, 'sub'),
  profile_claims: v.optional(
    v.strictObject(
      Object.fromEntries(profileNames.map((name) => [name, v.exactOptional(claim)])) as Record<
        ProfileName,
        v.ExactOptionalSchema<typeof claim, undefined>
      >,
      `must be an object with some of ${profileNames.join(', ')}`,
    ),
    {},
  ),
  algorithms: v.optional(
    v.pipe(v.array(v.picklist(signatureAlgorithms, ALGORITHM_RULE), ALGORITHM_RULE), v.minLength(1, ALGORITHM_RULE)),
    [...signatureAlgorithms],
  ),
  dpop_bound_access_tokens: v.optional(v.boolean('must be true or false'), false),
})
type Entry = v.InferOutput<typeof Entry>

const sourceOf = ({ jwks_uri: url, jwks_file: file }: Entry): KeySource | undefined => {
  if (url !== undefined) return file === undefined ? { url } : undefined
  return file === undefined ? undefined : { file }
}

const issuerOf = (entry: Entry, source: KeySource): PhoneIssuer => ({
  name: entry.name,
  issuer: entry.issuer,
  source,
  audiences: entry.audience,
  algorithms: entry.algorithms,
  personClaim: entry.person_claim,
  profileClaims: entry.profile_claims,
  needsKey: entry.dpop_bound_access_tokens,
})

export interface ParsedIssuers {
  issuers: readonly PhoneIssuer[]
  problems: string[]
}

/**
 * Reads the issuers of the business's own apps: a JSON list of objects. Each problem is a sentence with its
 * line. With a problem there are no issuers.
 */
export const parsePhoneIssuers = (text: string): ParsedIssuers => {
  const issuers: PhoneIssuer[] = []
  const problems = readJsonList(text, 'issuers', (item, wrong) => {
    const entry = v.safeParse(Entry, item)
    if (!entry.success) {
      const [issue] = entry.issues
      const [member, inner] = v.getDotPath(issue)?.split('.') ?? []
      if (member === undefined) return wrong('an issuer must be an object')
      if (issue.type !== 'strict_object') return wrong(issue.message, member)
      if (inner !== undefined) return wrong(`can have ${profileNames.join(', ')}, and no ${inner}`, member)
      return wrong(issue.expected === 'never' ? 'is no member of an issuer' : 'is needed', member)
    }
    const source = sourceOf(entry.output)
    if (!source) return wrong('or jwks_file is needed, and not both', 'jwks_uri')
    if (issuers.some(({ issuer }) => issuer === entry.output.issuer)) return wrong('stands there twice', 'issuer')
    issuers.push(issuerOf(entry.output, source))
  })
  return problems.length > 0 ? { issuers: [], problems } : { issuers, problems }
}
