import { readFileSync } from 'node:fs'
import * as v from 'valibot'
import { listKeys, type SignatureAlgorithm, signatureAlgorithms } from '../access/key-set.ts'
import type { KeySource } from '../access/key-source.ts'
import type { ClaimNames } from '../access/signed-tokens.ts'
import { isWebAddress } from '../access/web-address.ts'

/** The claims that hold what Saoma needs, if the setting names no others. */
export const DEFAULT_CLAIMS: ClaimNames = { uid: 'sub', rooms: 'rooms', sid: 'sid' }

/** Why a file holds no keys; undefined if it does. Whether they can be used is looked at later. */
const problemOf = (file: string): string | undefined => {
  try {
    return listKeys(readFileSync(file, 'utf8')) ? undefined : `names a file that is no JWKS: ${file}`
  } catch (error) {
    return `names a file that cannot be read (${(error as NodeJS.ErrnoException).code}): ${file}`
  }
}

/** An address, or the path of a file. */
export const keySource = v.pipe(
  v.string(),
  v.rawTransform<string, KeySource>(({ dataset, addIssue, NEVER }) => {
    const text = dataset.value
    const isFile = /^[/.]/.test(text)
    const problem = isFile
      ? problemOf(text)
      : isWebAddress(text)
        ? undefined
        : 'must be a URL such as https://login.example.com/jwks.json, without a user, or a file (it begins with / or .)'
    if (problem === undefined) return isFile ? { file: text } : { url: text }
    addIssue({ message: problem })
    return NEVER
  }),
)

const isClaim = (name: string): name is keyof ClaimNames => Object.hasOwn(DEFAULT_CLAIMS, name)

/** `uid=sub rooms=https://example.com/rooms`, with the defaults for what is not named. */
export const claimNames = v.pipe(
  v.string(),
  v.rawTransform<string, ClaimNames>(({ dataset, addIssue, NEVER }) => {
    const pairs = dataset.value.trim().split(/\s+/)
    const named = pairs.map((pair) => /^([^=]+)=(.+)$/.exec(pair) ?? [])
    const names = { ...DEFAULT_CLAIMS }
    for (const [, name = '', claim = ''] of named) if (isClaim(name)) names[name] = claim
    const known = new Set(named.map(([, name = '']) => name).filter(isClaim))
    if (known.size === pairs.length) return names
    addIssue({ message: 'must be pairs such as uid=sub rooms=rooms sid=sid, each name once at most' })
    return NEVER
  }),
)

const isAlgorithm = (name: string): name is SignatureAlgorithm =>
  (signatureAlgorithms as readonly string[]).includes(name)

/** Algorithms with a public key, between commas or spaces. */
export const algorithms = v.pipe(
  v.string(),
  v.transform((text) => text.split(/[\s,]+/).filter(Boolean)),
  v.minLength(1, 'must name an algorithm'),
  v.array(
    v.custom<SignatureAlgorithm>(
      (name) => isAlgorithm(String(name)),
      `must list some of ${signatureAlgorithms.join(', ')}`,
    ),
  ),
)
