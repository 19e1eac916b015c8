import * as v from 'valibot'

/** What the parts of a request are called: of a query, or of a body. */
type What = 'parameter' | 'member'

/** What a query or a body may have. Everything else is refused by name. */
export interface Shape<T> {
  schema: v.GenericSchema<unknown, T>
  /** All parts that there are. Each message of theirs ends a sentence that begins with the name. */
  parts: Readonly<Record<string, v.GenericSchema>>
  /** What is said of a body that is no object. @default the body is an object */
  form?: string
  /** What is said of a part that there is not. @default there is no member "name" */
  unknown?: (what: What, name: string) => string
  /** What is said if a part is missing, or parts do not go together. @default name is needed */
  needs?: string
}

/** Longest name that an answer repeats. */
const MOST_QUOTED = 64

const noSuch = (what: What, name: string): string => `there is no ${what} ${JSON.stringify(name)}`

/** The shape of an object. @param words  what else is said of it */
export const shapeOf = <const E extends v.ObjectEntries>(
  schema: v.StrictObjectSchema<E, undefined>,
  words: Pick<Shape<unknown>, 'form' | 'unknown' | 'needs'> = {},
): Shape<v.InferOutput<v.StrictObjectSchema<E, undefined>>> => ({ schema, parts: schema.entries, ...words })

/** What was asked, or why it is refused: a sentence for a developer, without what was sent but for names. */
export type Read<T> = { ok: true; value: T } | { ok: false; why: string }

/** Reads a query or a body. */
export const readStrictly = <T>(
  { schema, parts, form = 'the body is an object', unknown = noSuch, needs }: Shape<T>,
  given: unknown,
  what: What,
): Read<T> => {
  const wrong = (why: string) => ({ ok: false, why }) as const
  // To a schema an array is an object without members.
  if (typeof given !== 'object' || given === null || Array.isArray(given)) return wrong(form)
  for (const [name, value] of Object.entries(given)) {
    const part = Object.hasOwn(parts, name) ? parts[name] : undefined
    if (!part) return wrong(unknown(what, name.slice(0, MOST_QUOTED)))
    if (what === 'parameter' && Array.isArray(value)) return wrong(`${name} may be there once only`)
    const read = v.safeParse(part, value)
    if (!read.success) return wrong(`${name} ${read.issues[0].message}`)
  }
  const read = v.safeParse(schema, { ...given })
  return read.success
    ? { ok: true, value: read.output }
    : wrong(needs ?? `${String(read.issues[0].path?.[0]?.key)} is needed`)
}
