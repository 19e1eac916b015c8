import type { Check, Subject } from './check.ts'
import type { Finding } from './finding.ts'
import { error, skipped } from './findings.ts'

/** A finding with the name of its check. */
export interface Found extends Finding {
  check: string
}

const late = (signal: AbortSignal): Promise<Finding[]> =>
  new Promise((resolve) => {
    const tell = () =>
      resolve([skipped('check-late', 'The check was not ready when the time was up.', 'Give it more: --timeout 120s.')])
    if (signal.aborted) tell()
    else signal.addEventListener('abort', tell, { once: true })
  })

const run = async ({ name, run }: Check, subject: Subject): Promise<Found[]> => {
  const findings = await Promise.race([
    run(subject).catch((failure: unknown) => {
      if (subject.signal.aborted) return late(subject.signal)
      const why = failure instanceof Error ? failure.message : String(failure)
      return [error('check-failed', `The check itself failed (${why}).`, 'Please report it with this line.')]
    }),
    late(subject.signal),
  ])
  return findings.map((finding) => ({ check: name, ...finding }))
}

/**
 * Runs the checks at the same time, and keeps their order. A check that fails or comes late is a finding, so
 * it hides no other. Never rejects.
 */
export const runChecks = async (checks: readonly Check[], subject: Subject): Promise<Found[]> =>
  (await Promise.all(checks.map((check) => run(check, subject)))).flat()
