import type { Accounts } from '@saoma/accounts'
import type { Audit, Kind, Note } from '@saoma/audit'
import { REPEATED_MS } from './audited.ts'
import { presentCause } from './end-cause.ts'

/** From where the person comes. Who ends sessions, and why, is no matter of a meeting. */
const presentPlace = (): Pick<Note, 'ip' | 'browser' | 'os'> => {
  const { by: _, reason: __, key: ___, said: ____, ...place } = presentCause()
  return place
}

/**
 * The same accounts, of which it is noted what becomes of them. An import does not come by here: it makes
 * thousands at a time, which would push out what others did.
 *
 * What was noted of a person before a deletion is erased by `deletePerson`, as its last step.
 */
export const noteAccounts = (
  accounts: Accounts,
  { note, refusals }: Pick<Audit, 'note'> & { refusals: Pick<Audit['refusals'], 'of'> },
): Accounts => {
  const tell = (kind: Kind, person: string): void => note({ kind, person, ...presentCause() })
  return {
    ...accounts,
    of: async (identity, meeting) => {
      const met = await accounts.of(identity, meeting)
      if (met.allow && met.isNew) note({ kind: 'account.created', person: met.sub, ...presentPlace() })
      // A refusal of somebody who has no account is counted with those of requests.
      if (!met.allow && 'sub' in met && met.sub !== undefined)
        refusals.of({ kind: 'account.refused', person: met.sub, reason: met.why, ...presentPlace() })
      return met
    },
    link: async (sub, identity) => {
      const linked = await accounts.link(sub, identity)
      if (linked === 'linked') tell('account.linked', sub)
      return linked
    },
    unlink: async (sub, identity) => {
      const unlinked = await accounts.unlink(sub, identity)
      if (unlinked === 'unlinked') tell('account.unlinked', sub)
      return unlinked
    },
    setState: async (sub, state) => {
      const isDone = await accounts.setState(sub, state)
      if (isDone) tell(state === 'disabled' ? 'account.disabled' : 'account.enabled', sub)
      return isDone
    },
    remove: async (sub) => {
      if (!(await accounts.remove(sub))) return false
      const once = { name: `account.deleted.${sub}`, ms: REPEATED_MS }
      note({ kind: 'account.deleted', person: sub, ...presentCause() }, { once })
      return true
    },
  }
}
