import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { plainEnv } from './process.ts'

/**
 * A page that prints requests and their answers, as a test goes through it. Some values are others each time.
 * The page names the members that hold them. Where a printed value of such a member comes again in a later
 * request or answer, it stands for the value that this run got.
 */
export interface Walkthrough {
  /** The text with this run's values in place of the printed ones. */
  fill(text: string): string
  /** Lets a printed text stand for another one from now on, such as an address. */
  bind(printed: string, own: string): void
  /**
   * Compares an answer with the printed one: the same members, and the same values but for those that vary,
   * which have the same type. Throws with the place of the difference.
   */
  expect(printed: unknown, got: unknown): void
}

const FORMS = ['string', 'number', 'boolean'] as const
type Form = (typeof FORMS)[number]
const formOf = (value: unknown): Form | 'list' | 'object' | 'null' | 'nothing' => {
  if (value === undefined) return 'nothing'
  if (value === null) return 'null'
  if (Array.isArray(value)) return 'list'
  return FORMS.find((form) => typeof value === form) ?? 'object'
}
const escaped = (text: string): string => text.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&')
const isObject = (value: unknown): value is Record<string, unknown> => formOf(value) === 'object'

/**
 * @param varying  names of the members whose values are others each time, at any depth
 */
export const createWalkthrough = (varying: readonly string[]): Walkthrough => {
  const own = new Map<string, string>()
  /** The longest first: one printed value may begin with another. */
  const fill = (text: string): string => {
    const printed = [...own.keys()].sort((a, b) => b.length - a.length)
    if (printed.length === 0) return text
    const any = new RegExp(printed.map(escaped).join('|'), 'g')
    return text.replace(any, (found) => own.get(found) ?? found)
  }
  const differs = (place: string, printed: unknown, got: unknown): never => {
    throw new Error(`${place || 'the answer'}: the page has ${JSON.stringify(printed)}, it is ${JSON.stringify(got)}`)
  }

  /** Calls `each` with every pair of values that are no object and no list. */
  const walk = (
    place: string,
    printed: unknown,
    got: unknown,
    each: (place: string, printed: unknown, got: unknown, varies: boolean) => void,
    varies = false,
  ): void => {
    if (formOf(printed) !== formOf(got)) differs(place, printed, got)
    if (Array.isArray(printed) && Array.isArray(got)) {
      if (printed.length !== got.length) differs(place, printed, got)
      printed.forEach((one, i) => void walk(`${place}[${i}]`, one, got[i], each, varies))
    } else if (isObject(printed) && isObject(got)) {
      const names = (value: object) => Object.keys(value).sort().join()
      if (names(printed) !== names(got)) differs(place, printed, got)
      for (const [name, value] of Object.entries(printed))
        walk(place ? `${place}.${name}` : name, value, got[name], each, varying.includes(name))
    } else each(place, printed, got, varies)
  }

  return {
    fill,
    bind: (printed, value) => void own.set(printed, value),
    expect: (printed, got) => {
      walk('', printed, got, (_, one, its, varies) => {
        if (varies && typeof one === 'string' && typeof its === 'string') own.set(one, its)
      })
      walk('', printed, got, (place, one, its, varies) => {
        if (!varies && (typeof one === 'string' ? fill(one) : one) !== its) differs(place, one, its)
      })
    },
  }
}

/** Longer than a long poll is held. */
const TIMEOUT_MS = 60_000

/** Runs a block of shell there. Resolves with what it printed; rejects with it if a command fails. */
export const runShell = async (
  code: string,
  { cwd, env = {} }: { cwd: string; env?: Record<string, string | undefined> },
): Promise<string> => {
  const { stdout } = await promisify(execFile)('bash', ['--norc', '-euo', 'pipefail', '-c', code], {
    cwd,
    env: { ...plainEnv(), ...env },
    timeout: TIMEOUT_MS,
  })
  return stdout
}
