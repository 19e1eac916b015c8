import type { AccountState, Accounts } from '@saoma/accounts'
import { because, type EndCause } from '../login/end-cause.ts'
import type { EndPerson } from '../login/end-person.ts'

export interface AccountStateDeps {
  accounts: Pick<Accounts, 'setState'>
  endPerson: EndPerson
}

/** What has become of an account. */
export interface StateSet {
  state: Exclude<AccountState, 'deleted'>
  /** Sessions that this call has ended. */
  ended: number
}

export interface SetAccountState {
  /**
   * Disables an account, then ends all that its person has: sessions, sockets, streams, polls and logins in
   * progress. `reason` is a sentence for the person. Resolves with undefined if there is no such account.
   * Rejects with RedisUnavailable: then part of it may be done, and the same call completes it.
   */
  disable(sub: string, cause: EndCause, reason?: string): Promise<StateSet | undefined>
  /** Enables it again. What was ended stays ended. */
  enable(sub: string, cause: EndCause): Promise<StateSet | undefined>
}

export const createSetAccountState = ({ accounts, endPerson }: AccountStateDeps): SetAccountState => {
  const set = (sub: string, cause: EndCause, state: StateSet['state']): Promise<boolean> =>
    because(
      () => cause,
      () => accounts.setState(sub, state),
    )
  return {
    disable: async (sub, cause, reason) => {
      const told: EndCause = reason === undefined ? cause : { ...cause, said: reason }
      if (!(await set(sub, told, 'disabled'))) return undefined
      return { state: 'disabled', ended: await endPerson(sub, cause, { reason }) }
    },
    enable: async (sub, cause) => ((await set(sub, cause, 'active')) ? { state: 'active', ended: 0 } : undefined),
  }
}
