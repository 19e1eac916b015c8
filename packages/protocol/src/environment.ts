import * as v from 'valibot'

/** The settings of a program, or one line for each setting that is missing or not well formed. */
export type Settings<T> = { ok: true; value: T } | { ok: false; problems: string[] }

/**
 * Drops empty settings. Compose passes an unset setting on as an empty one, so the default applies.
 *
 * @example
 * ```ts
 * import { givenIn } from '@saoma/protocol'
 *
 * console.log(givenIn({ PORT: '3000', HOST: '' })) // -> { PORT: '3000' }
 * ```
 */
export const givenIn = (env: Readonly<Record<string, string | undefined>>): Record<string, string | undefined> =>
  Object.fromEntries(Object.entries(env).filter(([, value]) => value !== ''))

/**
 * Reads the settings of a program by a schema of valibot. Returns all problems at once: one line, which
 * begins with its name, for each setting that is missing or not well formed.
 *
 * @param given  settings by name, such as `process.env`
 * @param unread  why a setting could not be read at all, by its name. Such a setting is a problem.
 *
 * @example
 * ```ts
 * import { readSettings } from '@saoma/protocol'
 * import * as v from 'valibot'
 *
 * const Settings = v.object({ PORT: v.pipe(v.string(), v.regex(/^\d+$/, 'has to be a number')) })
 * console.log(readSettings(Settings, { PORT: '3000' })) // -> { ok: true, value: { PORT: '3000' } }
 * console.log(readSettings(Settings, { PORT: 'http' }))
 * // -> { ok: false, problems: [ 'PORT has to be a number' ] }
 * console.log(readSettings(Settings, {})) // -> { ok: false, problems: [ 'PORT is missing' ] }
 * ```
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
