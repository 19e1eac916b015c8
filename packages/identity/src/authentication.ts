import { type VerificationMode, verificationModes } from '@saoma/protocol'

/*
 * How a login was done, in the words of tokens.
 */

const PREFIX = 'urn:saoma:acr:'

/**
 * `amr` by RFC 8176: `mca`, the phone is a channel of its own; `user`, somebody was there and acted. It is
 * the same for each mode that there is, because no further word of that RFC fits:
 *
 * - the number authenticates nobody, so it is neither `otp` (RFC 4226, RFC 6238) nor `pin` (unlocks a key)
 * - an address of the network is no place, so it is not `geo`
 *
 * `acr` says what was done. A passkey will add `hwk` or `swk`.
 */
const AMR: readonly string[] = ['mca', 'user']
/** What tokens of former versions say of a tap. */
const FORMER_TAP = 'scan'

export const acrOf = (mode: VerificationMode): string => `${PREFIX}${mode}`
export const amrOf = (_mode: VerificationMode): string[] => [...AMR]

/** The mode that an `acr` names; undefined if it is not one of ours. */
export const modeOf = (acr: unknown): VerificationMode | undefined =>
  acr === FORMER_TAP ? 'tap' : verificationModes.find((mode) => acrOf(mode) === acr)

/** The modes in which somebody can log in today. The others are names for later. */
export const givenModes = ['tap', 'number', 'network'] as const satisfies readonly VerificationMode[]
/** What an application may ask for (`acr_values`), and gets. */
export const acrValues: readonly string[] = givenModes.map(acrOf)
