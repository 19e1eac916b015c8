import { isSub } from '@saoma/accounts'
import * as v from 'valibot'
import { LONGEST_REASON, Reason } from '../login/end-request.ts'

/** The id of a person in an address: a `sub`, or a business's own id. */
export const Sub = v.pipe(v.string(), v.check(isSub))

const text = (most: number) => v.pipe(v.string(), v.minLength(1), v.maxLength(most))
const provider = v.picklist(['wechat', 'app', 'passkey', 'demo'])
/** Demo people are in no app. */
const app = v.optional(v.pipe(v.string(), v.maxLength(64)), '')
const [id, union] = [text(128), text(128)]

/** Parameters of `GET /v1/admin/accounts`. */
export const AccountSearch = v.union([v.strictObject({ provider, app, id }), v.strictObject({ provider, union })])
/** Parameters of `DELETE /v1/admin/accounts/{sub}/identities`. Many clients send no body with a DELETE. */
export const IdentityName = v.strictObject({ provider, app, id })
/** Body of `POST /v1/admin/accounts/{sub}/identities`. */
export const NewIdentity = v.strictObject({ provider, app, id, union: v.exactOptional(union) })
/** Body of `POST /v1/admin/accounts/{sub}/disable`. */
export const DisableRequest = v.strictObject({ reason: v.optional(Reason) })
/** Where there is nothing to say. */
export const Nothing = v.strictObject({})

const rules = {
  provider: [provider, 'provider is wechat, app, passkey or demo'],
  app: [app, 'app is an appid of up to 64 characters, or absent'],
  id: [id, 'id has 1 to 128 characters'],
  union: [union, 'union has 1 to 128 characters'],
  reason: [
    v.optional(Reason),
    `reason is a sentence of up to ${LONGEST_REASON} characters without line breaks, or absent`,
  ],
} as const satisfies Record<string, readonly [schema: v.GenericSchema, rule: string]>
type Member = keyof typeof rules

/** What a request may have, and what has to be there, as the end of a sentence that begins with "give". */
export interface Shape<T> {
  schema: v.GenericSchema<unknown, T>
  members: readonly Member[]
  needs: string
}

export const shapes = {
  search: { schema: AccountSearch, members: ['provider', 'app', 'id', 'union'], needs: 'provider, and id or union' },
  identityName: { schema: IdentityName, members: ['provider', 'app', 'id'], needs: 'provider and id' },
  newIdentity: { schema: NewIdentity, members: ['provider', 'app', 'id', 'union'], needs: 'provider and id' },
  disable: { schema: DisableRequest, members: ['reason'], needs: 'an object' },
  nothing: { schema: Nothing, members: [], needs: 'nothing' },
} as const satisfies Record<string, Shape<unknown>>

/**
 * Reads a query or a body, or says what is wrong with it, by name and without its values.
 *
 * @param what  `parameter` of a query, or `member` of a body
 */
export const read = <T>(
  { schema, members, needs }: Shape<T>,
  given: unknown,
  what: 'parameter' | 'member',
): { ok: true; value: T } | { ok: false; why: string } => {
  const wrong = (why: string) => ({ ok: false, why }) as const
  // To a schema an empty array is an object without members.
  if (typeof given !== 'object' || given === null || Array.isArray(given)) return wrong('the body is an object')
  for (const [name, value] of Object.entries(given)) {
    const member = members.find((each) => each === name)
    if (!member) return wrong(`there is no ${what} ${JSON.stringify(name.slice(0, 64))}`)
    if (Array.isArray(value)) return wrong(`${name} may be there once only`)
    if (!v.is(rules[member][0], value)) return wrong(rules[member][1])
  }
  const parsed = v.safeParse(schema, { ...given })
  return parsed.success ? { ok: true, value: parsed.output } : wrong(`give ${needs}`)
}
