import type { QuickSeal } from '@saoma/redis'
import * as v from 'valibot'
import type { Kind } from './kinds.ts'

/** Members that are sealed in Redis, because they say something about a person. */
export interface Personal {
  /** Address of the client. */
  ip?: string
  browser?: string
  os?: string
  /** Display name. */
  name?: string
  /** The sentence that the person was told. */
  said?: string
}

/** Members that anybody with access to Redis can read. */
export interface Open {
  ticket?: string
  sid?: string
  /** OAuth client. */
  client?: string
  /** Name of the application. */
  app?: string
  /** How the person proved to be there, such as `tap`. */
  mode?: string
  /** Who did it: `person`, `browser`, `phone`, `backend`, `operator`, or `saoma` itself. */
  by?: string
  /** Why, or what: a code or a word. */
  reason?: string
  /** Name of an API key. */
  key?: string
  /** How many of them there were. */
  count?: number
}

/** Something that happened, as those who note it say it. */
export interface Note extends Open, Personal {
  kind: Kind
  /** Whose it is: a `sub`. */
  person?: string
}

/** How a note is written, besides what it says. */
export interface NoteOptions {
  /**
   * The network that the session is used from. A note `session.moved` is written only if that is another one
   * than before. It needs `person` and `sid`.
   */
  network?: string
  /** Writes it only if nothing was noted under this name within `ms`. */
  once?: { name: string; ms: number }
  /**
   * Writes it only when other nodes have written what they noted before it. For what follows within
   * milliseconds on what another node notes of the same person.
   */
  later?: boolean
}

/** An entry as it is read. */
export interface Entry extends Omit<Note, 'kind'> {
  /** Unique, and ordered within a part. */
  id: string
  /** A later version may have other kinds than `Kind`. */
  kind: string
  /** When it happened by Redis's clock: ISO 8601. */
  time: string
  /** The node that noted it. */
  node: string
  /** It has personal members that none of the secrets opens. */
  sealed?: true
}

const text = v.optional(v.string())
const OpenMembers = v.object({
  node: v.optional(v.string(), ''),
  ticket: text,
  sid: text,
  client: text,
  app: text,
  mode: text,
  by: text,
  reason: text,
  key: text,
  count: v.optional(v.number()),
})
const PersonalMembers = v.object({ ip: text, browser: text, os: text, name: text, said: text })
/** An entry as it is read, for the document of the API. */
export const entrySchema = v.object({
  ...{ id: v.string(), kind: v.string(), time: v.string(), node: v.string(), person: text },
  ...v.omit(OpenMembers, ['node']).entries,
  ...PersonalMembers.entries,
  sealed: v.optional(v.literal(true)),
}) satisfies v.GenericSchema<unknown, Entry>
const openOf = v.safeParser(v.pipe(v.string(), v.parseJson(), OpenMembers))
const personalOf = v.safeParser(v.pipe(v.string(), v.parseJson(), PersonalMembers))

/** Longer texts are cut, so that an entry has a bound. */
const LONGEST = 256

const cut = (value: string | number): string | number => (typeof value === 'string' ? value.slice(0, LONGEST) : value)

const given = (members: Record<string, string | number | undefined>): Record<string, string | number> =>
  Object.fromEntries(
    Object.entries(members).flatMap(([name, value]) =>
      value === undefined || value === '' ? [] : [[name, cut(value)]],
    ),
  )

/** The three texts of an entry in Redis, besides its kind. */
export interface Stored {
  person: string
  open: string
  sealed: string
}

export const encode = (note: Note, node: string, seal: QuickSeal): Stored => {
  const { kind: _, person = '', ip, browser, os, name, said, ...open } = note
  const personal = given({ ip, browser, os, name, said })
  return {
    person: person.slice(0, LONGEST),
    open: JSON.stringify(given({ node, ...open })),
    sealed: Object.keys(personal).length > 0 ? seal.close(JSON.stringify(personal)) : '',
  }
}

/** An entry of a part: its id there, and its fields in turn. */
export type Raw = readonly [id: string, fields: readonly string[]]

/**
 * A field of an entry: `k` is the kind, `p` the person, `t` the time, `o` and `s` the open and the sealed
 * members, `b` the API key that did it.
 */
export const fieldOf = (fields: readonly string[], name: string): string => {
  for (let i = 1; i < fields.length; i += 2) if (fields[i - 1] === name) return fields[i] ?? ''
  return ''
}

/** Reads an entry. Members that cannot be read are left out. */
export const decode = (part: string, [id, fields]: Raw, seal: QuickSeal): Entry => {
  const person = fieldOf(fields, 'p')
  const sealed = fieldOf(fields, 's')
  const open = openOf(fieldOf(fields, 'o'))
  const { node, ...told } = open.success ? open.output : { node: '' }
  const opened = sealed === '' ? undefined : seal.open(sealed)
  const personal = opened === undefined ? undefined : personalOf(opened)
  return {
    id: `${part}:${id}`,
    kind: fieldOf(fields, 'k'),
    time: new Date(Number(fieldOf(fields, 't'))).toISOString(),
    node,
    ...(person === '' ? {} : { person }),
    ...told,
    ...(personal?.success ? personal.output : {}),
    ...(sealed !== '' && !personal?.success ? { sealed: true as const } : {}),
  } as Entry
}
