import * as v from 'valibot'

/** The settings of a program, or one line for each setting that is missing or not well formed. */
export type Settings<T> = { ok: true; value: T } | { ok: false; problems: string[] }

/** Drops empty settings. Compose passes an unset setting on as an empty one, so the default applies. */
export const givenIn = (env: Readonly<Record<string, string | undefined>>): Record<string, string | undefined> =>
  Object.fromEntries(Object.entries(env).filter(([, value]) => value !== ''))

/**
 * Reads settings by a schema.
 *
 * @param unread  why a setting could not be read at all, by its name. Such a setting is a problem.
 */
export const readSettings = <T>(
  schema: v.GenericSchema<unknown, T>,
  given: Readonly<Record<string, string | undefined>>,
  unread: ReadonlyMap<string, string> = new Map(),
): Settings<T> => {
  const parsed = v.safeParse(schema, given)
  if (parsed.success && unread.size === 0) return { ok: true, value: parsed.output }
  const wrong = (parsed.issues ?? []).map((issue) => {
    const name = String(issue.path?.[0]?.key)
    return unread.get(name) ?? (given[name] === undefined ? `${name} is missing` : `${name} ${issue.message}`)
  })
  return { ok: false, problems: [...new Set([...unread.values(), ...wrong])] }
}
