import * as v from 'valibot'
import { CLIENT_ID_RULE, clientMembers, isClientId, type Registration } from '../access/read-clients.ts'
import type { Read } from '../transport/http/shape.ts'
import { listQuery } from './entry-requests.ts'

const { secret_sha256: _secret, client_id_issued_at: _at, ...registered } = clientMembers
const { client_id: _id, type: _type, ...changeable } = registered

/** Body of `POST /v1/admin/clients`, as it is documented. What it means is checked as in a file. */
export const NewClientRequest = v.strictObject(registered)
/** Body of `POST /v1/admin/clients/{client_id}`: members to change. */
export const ClientChangeRequest = v.partial(v.strictObject(changeable))

export const clientList = listQuery(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63} (?:file|redis)$/)

const wrong = (why: string): { ok: false; why: string } => ({ ok: false, why })

/** What an administrator does not choose. */
const ours: Readonly<Record<string, string>> = {
  secret_sha256: 'is not given here: Saoma draws the secret',
  client_id_issued_at: 'is not given here: Saoma notes when it was made',
}

const objectIn = (given: unknown): Read<Record<string, unknown>> => {
  if (typeof given !== 'object' || given === null || Array.isArray(given)) return wrong('the body is an object')
  const taken = Object.keys(given).find((member) => ours[member] !== undefined)
  return taken === undefined ? { ok: true, value: { ...given } } : wrong(`${taken} ${ours[taken]}`)
}

/** Reads a registration. Its members are checked when it is made, as those of a file are. */
export const readNewClient = (given: unknown): Read<Registration> => {
  const read = objectIn(given)
  if (!read.ok) return read
  const { client_id: id } = read.value
  if (typeof id !== 'string' || !isClientId(id)) return wrong(`client_id ${CLIENT_ID_RULE}`)
  return { ok: true, value: read.value as Registration }
}

/** Reads the members to change. With `null` a member is as if it had been left out. */
export const readClientChange = (
  given: unknown,
  id: string,
): Read<{ [member in keyof Registration]?: Registration[member] | undefined }> => {
  const read = objectIn(given)
  if (!read.ok) return read
  if ((read.value.client_id ?? id) !== id) return wrong('client_id cannot be changed: make another application')
  return {
    ok: true,
    value: Object.fromEntries(Object.entries(read.value).map(([member, value]) => [member, value ?? undefined])),
  }
}
