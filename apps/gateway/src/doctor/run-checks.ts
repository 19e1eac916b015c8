import type { Check, Subject } from './check.ts'
import type { Finding } from './finding.ts'
import { error } from './findings.ts'

/** A finding with the name of its check. */
export interface Found extends Finding {
  check: string
}

const late = (signal: AbortSignal): Promise<Finding> =>
  new Promise((resolve) => {
    const tell = () =>
      resolve(error('check-late', 'The check was not ready when the time was up.', 'Give it more: --timeout 120s.'))
    if (signal.aborted) tell()
    else signal.addEventListener('abort', tell, { once: true })
  })

const failed = (failure: unknown): Finding => {
  const why = failure instanceof Error ? failure.message : String(failure)
  return error('check-failed', `The check itself failed (${why}).`, 'Please report it with this line.')
}

const run = async ({ name, run }: Check, subject: Subject): Promise<Found[]> => {
  const { signal } = subject
  /** What it has found so far. */
  const early: Finding[] = []
  const whole = run(subject, (...findings) => early.push(...findings)).catch(async (failure: unknown) => [
    ...early,
    signal.aborted ? await late(signal) : failed(failure),
  ])
  const findings = await Promise.race([whole, late(signal).then((tooLate) => [...early, tooLate])])
  return findings.map((finding) => ({ check: name, ...finding }))
}

/**
 * Runs the checks at the same time, and keeps their order. A check that fails or comes late is an error
 * behind what it has found, so it hides nothing. Never rejects.
 */
export const runChecks = async (checks: readonly Check[], subject: Subject): Promise<Found[]> =>
  (await Promise.all(checks.map((check) => run(check, subject)))).flat()
