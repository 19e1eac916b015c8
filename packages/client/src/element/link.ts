import type { TicketLink } from '@saoma/protocol'
import type { Answer } from '../core/request.ts'
import { retry } from '../core/retry.ts'

/** The address that opens the code in the app on the same phone. */
export interface PhoneLink {
  /** Undefined until it is there, or if there is none. Then only the code can be used. */
  readonly url: string | undefined
  /** Gets it for this ticket, once. */
  show(ticket: string): void
  clear(): void
}

/** A person who has not tapped within this time scans, or looks elsewhere. */
const PATIENCE_MS = 15_000
/** It becomes an href, so no scheme that runs code. */
const OPENS = /^(https?|weixin):/

export const createPhoneLink = (ask: () => Promise<Answer<TicketLink>>, onChange: () => void): PhoneLink => {
  let url: string | undefined
  let shown = ''
  let round: AbortController | undefined

  const reset = (ticket: string) => {
    round?.abort()
    shown = ticket
    url = undefined
  }

  const load = async () => {
    round = new AbortController()
    const { signal } = round
    const answer = await retry(ask, { withinMs: PATIENCE_MS, random: Math.random, signal })
    if (signal.aborted || !answer.ok || !OPENS.test(answer.value.url)) return
    url = answer.value.url
    onChange()
  }

  return {
    get url() {
      return url
    },
    show: (ticket) => {
      if (ticket === shown) return
      reset(ticket)
      void load()
    },
    clear: () => reset(''),
  }
}
