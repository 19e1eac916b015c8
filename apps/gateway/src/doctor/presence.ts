import { askOrigin } from '../operate/origin-answer.ts'
import { ANSWER_MS } from './ask.ts'
import type { Subject } from './check.ts'
import type { Finding } from './finding.ts'

const todo = 'Mend what the checks of the origin say first, then run the doctor again.'

/** The origin to look at, or the finding that there is none. */
export const originOf = ({ origin, config }: Subject): string | undefined => origin ?? config?.origin

/**
 * The finding that a check of what goes through the proxy cannot be made; undefined if a Saoma answers at the
 * origin. The reason is among the findings of the origin itself.
 */
export const absence = async (code: string, what: string, subject: Subject): Promise<Finding | undefined> => {
  const origin = originOf(subject)
  if (!origin)
    return { code, level: 'skipped', says: `${what}: no origin is known.`, todo: 'Set SAOMA_ORIGIN, or give --origin.' }
  const answer = await askOrigin(origin, AbortSignal.any([subject.signal, AbortSignal.timeout(ANSWER_MS)]))
  if (answer.kind === 'this' || answer.kind === 'saoma') return undefined
  return { code, level: 'skipped', says: `${what}: no Saoma answers at ${origin}.`, todo }
}
