import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js'
import fc from 'fast-check'
import { createAsyncApi } from '../src/api/asyncapi.ts'
import { createOpenApi } from '../src/api/openapi.ts'
import { version } from '../src/operate/version.ts'

export type Json = Readonly<Record<string, unknown>>
export type Documents = 'openapi' | 'asyncapi'

/** As a client gets them. */
export const documents: Readonly<Record<Documents, Json>> = {
  openapi: JSON.parse(JSON.stringify(createOpenApi(version))),
  asyncapi: JSON.parse(JSON.stringify(createAsyncApi(version))),
}

// The documents have more than schemas in them.
const ajv = new Ajv2020({ strict: false, validateSchema: false, validateFormats: false })
for (const [name, document] of Object.entries(documents)) ajv.addSchema({ ...document }, `${name}.json`)

const isJson = (value: unknown): value is Json => typeof value === 'object' && value !== null

/** A part of a document by its keys, with references resolved; undefined if there is none. */
export const partOf = (name: Documents, keys: readonly string[]): unknown => {
  let part: unknown = documents[name]
  for (const key of keys) {
    part = isJson(part) ? part[key] : undefined
    if (isJson(part) && typeof part.$ref === 'string') part = partOf(name, keysOf(part.$ref))
  }
  return part
}

const keysOf = (reference: string): string[] =>
  reference
    .slice(2)
    .split('/')
    .map((key) => key.replaceAll('~1', '/').replaceAll('~0', '~'))

const known = new Map<string, ValidateFunction>()

/** The check of a schema that stands at this place of a document. */
export const validatorAt = (name: Documents, keys: readonly string[]): ValidateFunction => {
  const schema = partOf(name, keys)
  if (!isJson(schema)) throw new Error(`${name} has nothing at ${keys.join(' / ')}`)
  const place = `${name} ${keys.join(' ')}`
  const validate = known.get(place) ?? ajv.compile(withBase(name, schema))
  known.set(place, validate)
  return validate
}

/** The schema with absolute references, so that it means the same outside of its document. */
const withBase = (name: Documents, schema: Json): Record<string, unknown> =>
  JSON.parse(JSON.stringify(schema, (key, value) => (key === '$ref' ? `${name}.json${value}` : value)))

/** Values that a schema describes. It knows the keywords that our schemas are converted to. */
export const arbitraryOf = (name: Documents, schema: Json): fc.Arbitrary<unknown> => {
  const { $ref, anyOf, enum: options, type, pattern, minLength, maxLength, properties, required, items } = schema
  const of = (inner: unknown) => arbitraryOf(name, isJson(inner) ? inner : {})
  if (typeof $ref === 'string') return of(partOf(name, keysOf($ref)))
  if ('const' in schema) return fc.constant(schema.const)
  if (Array.isArray(options)) return fc.constantFrom(...options)
  if (Array.isArray(anyOf)) return fc.oneof(...anyOf.map(of))
  switch (type) {
    case 'object': {
      const named = Object.entries(isJson(properties) ? properties : {})
      const members = named.map(([key, member]) => [key, of(member)] as const)
      return fc.record(Object.fromEntries(members), { requiredKeys: Array.isArray(required) ? required : [] })
    }
    case 'array':
      return fc.array(of(items), { maxLength: 3 })
    case 'string':
      return typeof pattern === 'string'
        ? fc.stringMatching(new RegExp(pattern))
        : fc.string({ minLength: Number(minLength ?? 0), maxLength: Number(maxLength ?? 40) })
    case 'integer':
      return fc.maxSafeNat()
    case 'number':
      return fc.integer()
    case 'boolean':
      return fc.boolean()
    case 'null':
      return fc.constant(null)
    default:
      return fc.jsonValue()
  }
}

/** A member that is not sent. */
const ABSENT = undefined
/** What stands in the place of a member. Whether it may is for the document to say. */
const ODD = [
  ABSENT,
  null,
  true,
  -1,
  0,
  1.5,
  101,
  '',
  'x',
  '47',
  '@user',
  'room:open-api',
  'room:with space',
  'y'.repeat(5_000),
  [],
  [1],
  {},
]

/** The body, and the body with each of its members replaced by each odd value. */
export const oddBodies = (body: Json, members: readonly string[]): Json[] => [
  body,
  // Members that nobody knows are ignored.
  { ...body, unknown: 1 },
  ...members.flatMap((member) => ODD.map((value) => ({ ...body, [member]: value }))),
]

/** The members that an object schema names. */
export const membersOf = (name: Documents, schema: Json): string[] => {
  const whole = typeof schema.$ref === 'string' ? partOf(name, keysOf(schema.$ref)) : schema
  const { properties } = isJson(whole) ? whole : {}
  return Object.keys(isJson(properties) ? properties : {})
}

/** As it is after it was sent: members that are not there are gone. */
export const sent = (value: unknown): unknown => JSON.parse(JSON.stringify(value))
