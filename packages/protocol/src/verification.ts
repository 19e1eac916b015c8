/**
 * How a person shows to be at the browser that logs in, the weakest first. This list is the only place that
 * puts them in order:
 *
 * - `tap`: the person taps "confirm" on the phone.
 * - `number`: the person types the two digits of the browser's page on the phone.
 * - `network`: the phone is in the network of the browser.
 * - `origin` and `passkey` are names for later. No login is done by them yet.
 */
export const verificationModes = ['tap', 'number', 'network', 'origin', 'passkey'] as const

/** A way in which a login was, or is to be, verified. */
export type VerificationMode = (typeof verificationModes)[number]

/**
 * What may be demanded of a login. `network-or-number`: the network, and if phone and browser are in
 * different ones, the number.
 */
export const verificationDemands = ['tap', 'number', 'network', 'network-or-number'] as const

/** What is demanded of a login. */
export type VerificationDemand = (typeof verificationDemands)[number]

/** Wrong numbers that a login forgives. With this many it is refused. */
export const MOST_WRONG_NUMBERS = 3

/**
 * Whether a login that was verified in one way is worth as much as one that is verified in another.
 *
 * @param done    how it was verified
 * @param wanted  how it ought to be
 *
 * @example
 * ```ts
 * import { isAtLeast } from '@saoma/protocol'
 *
 * console.log(isAtLeast('network', 'number')) // -> true
 * console.log(isAtLeast('tap', 'number')) // -> false
 * ```
 */
export const isAtLeast = (done: VerificationMode, wanted: VerificationMode): boolean =>
  verificationModes.indexOf(done) >= verificationModes.indexOf(wanted)
