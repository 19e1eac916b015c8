import { isSub } from '@saoma/accounts'
import * as v from 'valibot'
import { Reason } from '../login/end-request.ts'
import { type Shape, shapeOf } from '../transport/http/shape.ts'

/** The id of a person in an address: a `sub`, or a business's own id. */
export const Sub = v.pipe(v.string(), v.check(isSub))

const PROVIDER_RULE = 'is wechat, app, passkey or demo'
const APP_RULE = 'is an appid of up to 64 characters, or absent'
const ID_RULE = 'has 1 to 128 characters'
const provider = v.picklist(['wechat', 'app', 'passkey', 'demo'], PROVIDER_RULE)
/** Demo people are in no app. */
const app = v.optional(v.pipe(v.string(APP_RULE), v.maxLength(64, APP_RULE)), '')
const id = v.pipe(v.string(ID_RULE), v.minLength(1, ID_RULE), v.maxLength(128, ID_RULE))
const union = id

/** Parameters of `GET /v1/admin/accounts`. */
const AccountSearch = v.union([v.strictObject({ provider, app, id }), v.strictObject({ provider, union })])
/** Parameters of `DELETE /v1/admin/accounts/{sub}/identities`. Many clients send no body with a DELETE. */
export const IdentityName = v.strictObject({ provider, app, id })
/** Body of `POST /v1/admin/accounts/{sub}/identities`. */
export const NewIdentity = v.strictObject({ provider, app, id, union: v.exactOptional(union) })
/** Body of `POST /v1/admin/accounts/{sub}/disable`. */
export const DisableRequest = v.strictObject({ reason: v.optional(Reason) })

const search: Shape<v.InferOutput<typeof AccountSearch>> = {
  schema: AccountSearch,
  parts: { provider, app, id, union },
  needs: 'give provider, and id or union',
}

export const shapes = {
  search,
  identityName: shapeOf(IdentityName, { needs: 'give provider and id' }),
  newIdentity: shapeOf(NewIdentity, { needs: 'give provider and id' }),
  disable: shapeOf(DisableRequest),
  /** Where there is nothing to say. */
  nothing: shapeOf(v.strictObject({})),
}
