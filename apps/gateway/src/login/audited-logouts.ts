import type { Accounts } from '@saoma/accounts'
import type { Audit } from '@saoma/audit'
import type { LogoutsOptions, Untellable } from '@saoma/identity'
import type { Logger } from '../operate/log.ts'
import type { Metrics } from '../operate/metrics.ts'

export interface UntellableDeps {
  accounts: () => Pick<Accounts, 'find'> | undefined
  audit: Pick<Audit, 'note'>
  metrics: Pick<Metrics, 'applicationLogouts'>
  log: Logger
}

/** Says where an operator looks how applications are told of ends: in the metric, the log and the audit. */
export const reportLogouts = ({ accounts, audit, metrics, log }: UntellableDeps): LogoutsOptions => {
  const note = async ({ sub, sid, client, reason }: Untellable): Promise<void> => {
    // Of a deleted person nothing may be noted any more.
    const account = await accounts()
      ?.find(sub)
      .catch(() => undefined)
    const isThere = account !== undefined && account.state !== 'deleted'
    audit.note({ kind: 'application.untold', ...(isThere ? { person: sub } : {}), sid, client, reason, by: 'saoma' })
  }
  return {
    onCalled: (result) => metrics.applicationLogouts.inc({ result }),
    onUntellable: (missed) => {
      const { sid, client, reason } = missed
      log.warn({ event: 'logout', client, sid, reason }, 'an application could not be told that a session has ended')
      void note(missed)
    },
    onError: (error) => log.error({ err: error, event: 'logout' }, 'telling applications of an end failed'),
  }
}
