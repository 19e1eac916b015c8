import type { ScanAnswer } from '@saoma/protocol'
import { warningOf } from './code.ts'
import type { Entry, Question } from './login-screen.ts'

/** How the request got here: with a code, perhaps one that was typed on this page, or by the list. */
export interface Arrival {
  entry: Entry | undefined
  isListed: boolean
}

/** What a person is asked, without what only this phone knows. */
export const questionOf = (
  ticket: string,
  { request, sameNetwork, opened, verification }: ScanAnswer,
  { entry, isListed }: Arrival,
): Pick<Question, 'ticket' | 'request' | 'sameNetwork' | 'verification' | 'warning' | 'isListed'> => {
  const asked = { ticket, request, sameNetwork, verification }
  // What an application has sent came with no code.
  if (isListed) return { ...asked, warning: undefined, isListed }
  // A code can be typed on this page, or elsewhere by the same person: only the server knows of that.
  return { ...asked, warning: entry && opened !== 'typed' ? warningOf(entry, sameNetwork) : 'typed' }
}
