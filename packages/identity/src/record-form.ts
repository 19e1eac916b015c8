import type { AdapterPayload } from './oidc-provider.ts'

/** A hash in Redis. */
export type Fields = Readonly<Record<string, string>>

/** How a record of the provider is written into the fields of a Redis hash. */
export interface RecordForm {
  /** The fields and their values, one after the other. */
  write(payload: AdapterPayload): string[]
  /** Undefined if the fields hold no record. */
  read(fields: Fields): AdapterPayload | undefined
}

/** The fields of a list in which each name is followed by its value, as scripts give and take them. */
export const fieldsOf = (list: readonly string[]): Fields => {
  const fields: Record<string, string> = {}
  for (let i = 0; i < list.length; i += 2) fields[list[i] ?? ''] = list[i + 1] ?? ''
  return fields
}

/** The form of every record that has no other: one field with all of it in JSON. */
export const inJson: RecordForm = {
  write: (payload) => ['payload', JSON.stringify(payload)],
  read: ({ payload }) => (payload === undefined ? undefined : (JSON.parse(payload) as AdapterPayload)),
}
