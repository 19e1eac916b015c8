import * as schemas from '@saoma/protocol/schemas'
import { type ConversionConfig, toJsonSchema, toJsonSchemaDefs } from '@valibot/to-json-schema'
import type { Schema } from './operation.ts'

export type Json = Readonly<Record<string, unknown>>

/** The schemas with names of their own. A document refers to them. */
const named = { ...schemas }
const PLACE = '#/components/schemas/'

const config: Omit<ConversionConfig, 'definitions'> = {
  target: 'draft-2020-12',
  typeMode: 'input',
  // Of ours, only the check that data is not `undefined`. JSON has no such value.
  ignoreActions: ['check'],
  overrideRef: ({ referenceId }) => `${PLACE}${referenceId}`,
}

/**
 * A schema as JSON Schema, of draft 2020-12. What we use of it is the same in draft 7, which is AsyncAPI's.
 * Throws if valibot has something that JSON Schema has not.
 */
export const jsonSchemaOf = (schema: Schema): Json => {
  const made: Record<string, unknown> = { ...toJsonSchema(schema, { ...config, definitions: named }) }
  delete made.$schema
  delete made.$defs
  return made
}

const referencesIn = (value: unknown): string[] => {
  if (typeof value !== 'object' || value === null) return []
  return Object.entries(value).flatMap(([key, member]) =>
    key === '$ref' && typeof member === 'string' ? [member] : referencesIn(member),
  )
}

/** The named schemas that a part of a document refers to, directly or through each other. */
export const componentsOf = (part: unknown): Json => {
  const all: Record<string, unknown> = toJsonSchemaDefs(named, config)
  const used = new Set<string>()
  const note = (value: unknown): void => {
    for (const reference of referencesIn(value)) {
      const name = reference.startsWith(PLACE) ? reference.slice(PLACE.length) : undefined
      if (name === undefined || used.has(name)) continue
      used.add(name)
      note(all[name])
    }
  }
  note(part)
  return Object.fromEntries(Object.entries(all).filter(([name]) => used.has(name)))
}
