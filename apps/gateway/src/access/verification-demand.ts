import { type VerificationDemand, verificationDemands, verificationModes } from '@saoma/protocol'
import * as v from 'valibot'

const LATER: readonly string[] = verificationModes.filter(
  (mode) => !(verificationDemands as readonly string[]).includes(mode),
)

/** The end of a sentence about a demand that there is not. */
const rule = (given: unknown): string => {
  const words = verificationDemands.join(', ')
  return typeof given === 'string' && LATER.includes(given)
    ? `cannot be ${given} yet, which comes in a later version: it must be one of ${words}`
    : `must be one of ${words}`
}

/** How people have to show to be at the browser that logs in. */
export const verificationDemand: v.GenericSchema<string, VerificationDemand> = v.picklist(
  verificationDemands,
  ({ input }) => rule(input),
)
