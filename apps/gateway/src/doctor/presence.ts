import { isLoopback } from '../config/origins.ts'
import { askOrigin, type OriginAnswer } from '../operate/origin-answer.ts'
import { ANSWER_MS } from './ask.ts'
import type { Subject } from './check.ts'
import type { Finding } from './finding.ts'

const todo = 'Mend what the checks of the origin say first, then run the doctor again.'

/** The origin to look at, or the finding that there is none. */
export const originOf = ({ origin, config }: Subject): string | undefined => origin ?? config?.origin

/** Asks a Saoma at the origin, or tells why that is not possible. */
const find = async (
  code: string,
  what: string,
  subject: Subject,
): Promise<{ origin: string; answer: OriginAnswer } | Finding> => {
  const origin = originOf(subject)
  if (!origin)
    return { code, level: 'skipped', says: `${what}: no origin is known.`, todo: 'Set SAOMA_ORIGIN, or give --origin.' }
  const answer = await askOrigin(origin, AbortSignal.any([subject.signal, AbortSignal.timeout(ANSWER_MS)]))
  if (answer.kind === 'this' || answer.kind === 'saoma') return { origin, answer }
  return { code, level: 'skipped', says: `${what}: no Saoma answers at ${origin}.`, todo }
}

/**
 * The finding that a check of what goes through the proxy cannot be made; undefined if a Saoma answers at the
 * origin. The reason is among the findings of the origin itself.
 */
export const absence = async (code: string, what: string, subject: Subject): Promise<Finding | undefined> => {
  const found = await find(code, what, subject)
  return 'answer' in found ? undefined : found
}

/**
 * The finding that no proof of the secret may be sent to the origin; undefined if one may. It is for this
 * cluster alone, and nobody on the way may read it.
 */
export const distrust = async (code: string, what: string, subject: Subject): Promise<Finding | undefined> => {
  const url = URL.parse(originOf(subject) ?? '')
  if (url && url.protocol !== 'https:' && !isLoopback(url.hostname))
    return {
      code,
      level: 'skipped',
      says: `${what}: nodes tell it to who proves to know SAOMA_SECRET, and everybody on the way to ${url.origin} could read the proof.`,
      todo: 'Set up TLS, and set SAOMA_ORIGIN to the https address.',
    }
  const found = await find(code, what, subject)
  if (!('answer' in found)) return found
  if (found.answer.kind === 'this') return undefined
  return {
    code,
    level: 'skipped',
    says: `${what}: the Saoma at ${found.origin} has another origin, so no proof of SAOMA_SECRET was sent.`,
    todo,
  }
}
