import type { Retention } from '@saoma/channels'
import * as v from 'valibot'
import { matches, patternSyntax } from './principal.ts'

/** The operator's settings for the channels that match a pattern. */
export interface Rule {
  match: string
  /**
   * Who may follow: any person, those whose token names the room, those whom the authorization webhook
   * admits, or API keys only.
   */
  follow: 'public' | 'members' | 'hook' | 'nobody'
  /** Which people may publish. */
  publish: 'nobody' | 'followers' | 'hook'
  /** Whether followers receive presence changes. */
  announce: boolean
  keep: Retention
}

export interface Rules {
  /** The first rule that matches. */
  of(channel: string): Rule | undefined
  retention(channel: string): Retention
  announces(channel: string): boolean
}

const DAY_SECONDS = 86_400
const DEFAULT_MESSAGES = 1_000
const DEFAULT_SECONDS = 7 * DAY_SECONDS
const MOST_MESSAGES = 100_000
const MOST_SECONDS = 365 * DAY_SECONDS

const between = (min: number, max: number) => {
  const message = `must be a whole number from ${min} to ${max}`
  return v.pipe(v.number(message), v.integer(message), v.minValue(min, message), v.maxValue(max, message))
}
const oneOf = <const T extends readonly string[]>(...words: T) =>
  v.picklist(words, `must be one of ${words.join(', ')}`)

const Keep = v.strictObject({
  messages: v.optional(between(1, MOST_MESSAGES), DEFAULT_MESSAGES),
  seconds: v.optional(between(1, MOST_SECONDS), DEFAULT_SECONDS),
})
const Written = v.strictObject({
  match: v.pipe(
    v.string('must be a pattern such as room:table-*'),
    v.regex(patternSyntax, 'must be a pattern such as room:table-*'),
  ),
  follow: v.optional(oneOf('public', 'members', 'hook', 'nobody')),
  publish: v.optional(oneOf('nobody', 'followers', 'hook')),
  announce: v.optional(v.boolean('must be true or false'), false),
  keep: v.optional(Keep, {}),
})

const say = (issue: v.BaseIssue<unknown>): string => {
  const path = issue.path?.map(({ key }) => String(key)).join('.') ?? ''
  const what = issue.expected === 'never' ? 'is not known' : issue.message.replace(/^Invalid.*/, 'is not well formed')
  return `${path} ${what}`.trim()
}

const parseRule = (written: unknown): { rule?: Rule; problems: string[] } => {
  const parsed = v.safeParse(Written, written)
  if (!parsed.success) return { problems: parsed.issues.map(say) }
  const { match, follow, publish, announce, keep } = parsed.output
  // Access to a person's own channel is fixed and cannot be configured.
  if (match.startsWith('user:') && (follow ?? publish) !== undefined)
    return { problems: ['a rule for user: may only have keep and announce'] }
  return {
    rule: {
      match,
      follow: follow ?? 'nobody',
      publish: publish ?? 'nobody',
      announce,
      keep: { messages: keep.messages, ms: keep.seconds * 1000 },
    },
    problems: [],
  }
}

/** Reads a JSON array of rules. An empty text means no rules. */
export const parseRules = (text: string): { rules: Rule[]; problems: string[] } => {
  let written: unknown
  try {
    written = text.trim() ? JSON.parse(text) : []
  } catch (error) {
    return { rules: [], problems: [`is no JSON: ${error instanceof Error ? error.message : error}`] }
  }
  if (!Array.isArray(written)) return { rules: [], problems: ['must be a JSON array of rules'] }
  const parsed = written.map(parseRule)
  return {
    rules: parsed.flatMap(({ rule }) => rule ?? []),
    problems: parsed.flatMap(({ problems }, i) => problems.map((problem) => `rule ${i + 1}: ${problem}`)),
  }
}

const unruled: Retention = { messages: DEFAULT_MESSAGES, ms: DEFAULT_SECONDS * 1000 }

export const createRules = (rules: readonly Rule[]): Rules => {
  const of = (channel: string) => rules.find(({ match }) => matches(match, channel))
  return {
    of,
    retention: (channel) => of(channel)?.keep ?? unruled,
    announces: (channel) => of(channel)?.announce ?? false,
  }
}
