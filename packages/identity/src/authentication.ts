import type { VerificationMode } from './client.ts'

/**
 * How a login was done, in the words of tokens. `amr` are those of RFC 8176: `mca`, the phone is a channel of
 * its own; `user`, somebody was there and tapped.
 */
const AMR: Readonly<Record<VerificationMode, readonly string[]>> = { tap: ['mca', 'user'] }

export const acrOf = (mode: VerificationMode): string => `urn:saoma:acr:${mode}`
export const amrOf = (mode: VerificationMode): string[] => [...AMR[mode]]

/** What an application may ask for (`acr_values`), and gets. */
export const acrValues: readonly string[] = (Object.keys(AMR) as VerificationMode[]).map(acrOf)
