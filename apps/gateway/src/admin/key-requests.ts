import * as v from 'valibot'
import { arePatterns, isKeyName, NAME_RULE } from '../access/api-keys.ts'
import { channelActs, scopes } from '../access/scopes.ts'
import { shapeOf } from '../transport/http/shape.ts'
import { listQuery } from './entry-requests.ts'
import { Moment } from './query.ts'

/** Most patterns of a key, and most characters of them together. */
const MOST_PATTERNS = 64
const LONGEST_PATTERNS = 2_048

const isUnique = (all: readonly string[]): boolean => new Set(all).size === all.length

export const areFewPatterns = (patterns: string[]): boolean =>
  patterns.length <= MOST_PATTERNS && patterns.join().length <= LONGEST_PATTERNS
export const FEW_PATTERNS_RULE = `has at most ${MOST_PATTERNS} patterns, of ${LONGEST_PATTERNS} characters together`

/** Body of `POST /v1/admin/keys`. Each message ends a sentence that begins with the member. */
export const NewKeyRequest = v.strictObject({
  name: v.pipe(v.string('is a text'), v.check(isKeyName, NAME_RULE)),
  channels: v.optional(
    v.pipe(
      v.array(
        v.pipe(
          v.string('has texts'),
          v.check((text) => !text.includes(',') && arePatterns(text), 'has patterns such as room:*'),
        ),
        'is a list of patterns',
      ),
      v.check(areFewPatterns, FEW_PATTERNS_RULE),
      v.check((all) => isUnique(all), 'has a pattern twice'),
    ),
    [],
  ),
  may: v.optional(
    v.pipe(
      v.array(v.picklist(channelActs, `has ${channelActs.join(', ')}`), 'is a list'),
      v.check((all) => isUnique(all), 'has an act twice'),
    ),
    [...channelActs],
  ),
  scopes: v.optional(
    v.pipe(
      v.array(v.picklist(scopes, `has scopes: there are ${scopes.join(', ')}`), 'is a list'),
      v.check((all) => isUnique(all), 'has a scope twice'),
    ),
    [],
  ),
  expiresAt: v.optional(
    v.pipe(
      Moment,
      v.check((ms) => ms > Date.now(), 'is a time to come'),
    ),
  ),
})
export const newKey = shapeOf(NewKeyRequest, { needs: 'the member name is missing' })

export const keyList = listQuery(/^[A-Za-z0-9-]{1,32} (?:file|redis)$/)
