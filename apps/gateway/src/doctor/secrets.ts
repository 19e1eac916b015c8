import { statSync } from 'node:fs'
import { parseRedisUrl } from '@saoma/redis'
import { published } from '../config/contradictions.ts'
import { readSettingFiles } from '../config/setting-files.ts'
import type { Check, Subject } from './check.ts'
import type { Finding } from './finding.ts'
import { error, needsSettings, ok, skipped, warning } from './findings.ts'
import { givenBy } from './mounts.ts'
import { reachOf } from './settings.ts'
import type { Source } from './source.ts'
import { bitsOf } from './strength.ts'

/** The secrets that an operator makes. WeChat makes its own. */
const MADE = ['SAOMA_SECRET', 'SAOMA_PREVIOUS_SECRET', 'SAOMA_HOOK_SECRET', 'SAOMA_ACCOUNT_SECRET'] as const
/** All settings whose value nobody else may read. */
const SECRET = [
  ...MADE,
  'WECHAT_SECRET',
  'WECHAT_APPS',
  'REDIS_URL',
  'REDIS_CHANNELS_URL',
  'AWS_SECRET_ACCESS_KEY',
] as const
/** Settings that name a file with a private key. */
const KEY_FILES = ['REDIS_KEY_FILE'] as const
/** Whoever knows the program of the nodes has fewer guesses than this left. */
const GUESSABLE_BITS = 64
/** Out of reach, also for those who can guess without asking a node. */
const GOOD_BITS = 80

const OTHERS = 0o004
const GROUP = 0o040
const HOW_TO_MAKE = 'Make another one: openssl rand -base64 32.'
const STEPS = 'docs/operate.md#replace-saoma_secret has the steps.'

type Given = Source['given']

const isPublished = (value: string): boolean => value === published.secret || value === published.hookSecret

/** Keys in Redis are sealed with SAOMA_SECRET, so the old one is still needed when there is another. */
const todoFor = (name: string, given: Given): string => {
  if (name !== 'SAOMA_SECRET') return HOW_TO_MAKE
  return given.SAOMA_PREVIOUS_SECRET || given.SAOMA_PREVIOUS_SECRET_FILE
    ? `Finish the change that is going on. Then make another one (openssl rand -base64 32), and let the present value be SAOMA_PREVIOUS_SECRET. ${STEPS}`
    : `Make another one (openssl rand -base64 32), and let the present value be SAOMA_PREVIOUS_SECRET. ${STEPS}`
}

/** The secret before the present one cannot become better: another value in its place opens nothing. */
const previousOf = (value: string): Finding =>
  isPublished(value) || bitsOf(value) < GOOD_BITS
    ? warning(
        'secret-strength',
        'SAOMA_PREVIOUS_SECRET is weak. Keys in Redis may still need it.',
        `Leave its value as it is, finish the change, and take it out then. ${STEPS}`,
      )
    : ok('secret-strength', `SAOMA_PREVIOUS_SECRET is worth at least ${GOOD_BITS} bits.`)

const strengthOf = (
  name: string,
  value: string,
  { isHarmless, todo }: { isHarmless: boolean; todo: string },
): Finding => {
  if (isPublished(value))
    return isHarmless
      ? ok('secret-published', `${name} is the published secret of the demo, which is only on this machine.`)
      : error('secret-published', `${name} is the published secret of the demo, so everybody knows it.`, todo)
  const bits = bitsOf(value)
  if (bits < GUESSABLE_BITS)
    return error(
      'secret-strength',
      `${name} can be guessed: it has words, sequences or repetitions, and is worth some ${bits} bits.`,
      todo,
    )
  if (bits < GOOD_BITS) return warning('secret-strength', `${name} is weak: it is worth some ${bits} bits.`, todo)
  return ok('secret-strength', `${name} is worth at least ${GOOD_BITS} bits.`)
}

const equalOnes = (values: readonly (readonly [name: string, value: string])[]): Finding[] =>
  values.flatMap(([name, value], i) => {
    const twin = values.slice(0, i).find(([, other]) => other === value)?.[0]
    if (twin === undefined) return []
    return name === 'SAOMA_PREVIOUS_SECRET' && twin === 'SAOMA_SECRET'
      ? [
          warning(
            'secret-equal',
            'SAOMA_PREVIOUS_SECRET is SAOMA_SECRET, so the secret was not changed.',
            'Take SAOMA_PREVIOUS_SECRET away, or set SAOMA_SECRET to the new secret.',
          ),
        ]
      : [
          error(
            'secret-equal',
            `${name} is ${twin}, so whoever is given the one has the other too.`,
            `Make another ${name}: openssl rand -base64 32.`,
          ),
        ]
  })

/** Whether a value is secret. The address of a Redis is one only if it has a password. */
const isSecret = (name: string, value: string): boolean => {
  if (!name.startsWith('REDIS_')) return true
  try {
    return Boolean(parseRedisUrl(value).password)
  } catch {
    return true
  }
}

const fileOf = (path: string, holds: string): Finding | undefined => {
  const giver = givenBy(path)
  if (giver === 'container') return ok('secret-file', `${path}, with ${holds}, belongs to this container alone.`)
  if (giver === 'mount')
    return skipped(
      'secret-file',
      `${path}, with ${holds}, is mounted read-only, so who else can read it is not seen from here.`,
      'Look at its mode where it comes from: only the user of the nodes may read it.',
    )
  let mode = 0
  try {
    mode = statSync(path).mode
  } catch {
    // A node cannot read it either, which the settings say.
    return undefined
  }
  const todo = `Let only the user of the nodes read it: chown it to that user, then chmod 400 ${path}.`
  if (mode & OTHERS)
    return error('secret-file', `${path}, with ${holds}, can be read by every user of this machine.`, todo)
  if (mode & GROUP) return warning('secret-file', `${path}, with ${holds}, can be read by its group.`, todo)
  return ok('secret-file', `${path}, with ${holds}, can be read by its owner only.`)
}

/** The files that hold secrets: those of settings, and those that a setting names. */
const files = ({ given, files, inFile }: Source): Finding[] => {
  const ofSettings = files.map((file) => {
    const held = SECRET.filter((name) => {
      const value = inFile(file)[name]
      return value && isSecret(name, value)
    })
    return held.length > 0 ? fileOf(file, held.join(', ')) : undefined
  })
  const named = [
    ...SECRET.map((name) => [name, given[`${name}_FILE`]] as const),
    ...KEY_FILES.map((name) => [name, given[name]] as const),
  ].map(([name, path]) => (path ? fileOf(path, name) : undefined))
  return [...ofSettings, ...named].filter((finding) => finding !== undefined)
}

const valuesOf = (given: Given): [name: string, value: string][] => {
  const { given: all } = readSettingFiles(given, MADE)
  return MADE.flatMap((name) => (all[name] ? [[name, all[name]]] : []))
}

/** Checks the strength of the secrets that operators make, and who can read them. It never prints one. */
export const createSecretsCheck = (source: Source): Check => ({
  name: 'secrets',
  run: async ({ config, origin }: Subject) => {
    const values = valuesOf(source.given)
    const inFiles = files(source)
    if (values.length === 0 && inFiles.length === 0) return needsSettings('Secrets were')
    const isDemo = config?.demo ?? source.given.SAOMA_DEMO === 'true'
    const isHarmless = isDemo && (origin === undefined || reachOf(new URL(origin).hostname) === 'machine')
    const strengths = values.map(([name, value]) =>
      name === 'SAOMA_PREVIOUS_SECRET'
        ? previousOf(value)
        : strengthOf(name, value, { isHarmless, todo: todoFor(name, source.given) }),
    )
    return [...strengths, ...equalOnes(values), ...inFiles]
  },
})
